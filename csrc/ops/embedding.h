/* Piecewise-linear embedding of numbers: forward, delta and gradient.
 *
 * With q[t] = clip((x - lower[t]) * inverse_width[t], 0, 1), the forward pass needs sums over the
 * bins t of q[t] V[d, t], and the gradient needs sums over the rows of q[t] dout[d]. The first are
 * vectorised over rows and the second over bins, so that every sum is one chain of multiply-adds,
 * for any register width. q is computed again in the gradient, which is faster than storing it.
 */
#ifndef DNN_EMBEDDING_H
#define DNN_EMBEDDING_H

#include "panels.h"

enum {
    EMBEDDING_ROWS = 64, /* rows whose sums are formed together */
    EMBEDDING_STEPS = 8, /* terms added to a sum while it is in a register */
    EMBEDDING_SUMS = 4,  /* sums that share q */
};

/* NaN gives 0. */
INLINE real clip_one(real q)
{
    q = q > 0 ? q : 0;
    return q < 1 ? q : 1;
}

/* Invokes CALL with the number of sums, at most EMBEDDING_SUMS, as a constant. */
#define FOR_SUMS(sums, CALL)                    \
    switch (sums) {                             \
    case 1: CALL(1); break;                     \
    case 2: CALL(2); break;                     \
    case 3: CALL(3); break;                     \
    default: CALL(4); break;                    \
    }

/* sum[d][r] += sum over the next `steps` bins of q[r, t] V[d, t]. `sums` and `steps` are
 * constants. V has the leading dimension `ld`. */
INLINE void add_bins(int sums, int steps, ptrdiff_t rows, const real *restrict x,
                     const real *restrict lower, const real *restrict inverse_width,
                     const real *restrict V, ptrdiff_t ld,
                     real (*restrict sum)[EMBEDDING_ROWS])
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        real total[EMBEDDING_SUMS];
        UNROLL
        for (int d = 0; d < sums; d++) total[d] = sum[d][r];
        UNROLL
        for (int t = 0; t < steps; t++) {
            const real q = clip_one((x[r] - lower[t]) * inverse_width[t]);
            UNROLL
            for (int d = 0; d < sums; d++) total[d] = FMA(q, V[d * ld + t], total[d]);
        }
        UNROLL
        for (int d = 0; d < sums; d++) sum[d][r] = total[d];
    }
}

INLINE void add_all_bins(int sums, ptrdiff_t rows, const real *x, ptrdiff_t n_bins,
                         const real *lower, const real *inverse_width, const real *V,
                         real (*sum)[EMBEDDING_ROWS])
{
    ptrdiff_t t = 0;
    for (; t + EMBEDDING_STEPS <= n_bins; t += EMBEDDING_STEPS)
        add_bins(sums, EMBEDDING_STEPS, rows, x, lower + t, inverse_width + t, V + t, n_bins, sum);
    for (; t < n_bins; t++)
        add_bins(sums, 1, rows, x, lower + t, inverse_width + t, V + t, n_bins, sum);
}

/* out[r, d] = s[d] * (c[d] + sum over t of q[r, t] V[d, t]) for at most EMBEDDING_ROWS values x of
 * one number and `sums` outputs; out has the leading dimension `ld_out`. */
INLINE void embed_number(int sums, ptrdiff_t rows, const real *x, ptrdiff_t n_bins,
                         const real *lower, const real *inverse_width, const real *s,
                         const real *V, const real *c, ptrdiff_t ld_out, real *out)
{
    real sum[EMBEDDING_SUMS][EMBEDDING_ROWS];
    for (int d = 0; d < sums; d++)
        for (ptrdiff_t r = 0; r < rows; r++) sum[d][r] = c[d];
#define CALL(constant) add_all_bins(constant, rows, x, n_bins, lower, inverse_width, V, sum)
    FOR_SUMS(sums, CALL)
#undef CALL
    for (ptrdiff_t r = 0; r < rows; r++, out += ld_out)
        for (int d = 0; d < sums; d++) out[d] = s[d] * sum[d][r];
}

INLINE int sums_from(ptrdiff_t d, ptrdiff_t size)
{
    return size - d < EMBEDDING_SUMS ? (int)(size - d) : EMBEDDING_SUMS;
}

static void embed(const dnn_embedding *of, ptrdiff_t n, const void *x_, const void *s_,
                  const void *V_, const void *c_, void *out_)
{
    const ptrdiff_t k = of->n_inputs, numbers = of->n_numeric, n_bins = of->n_bins;
    const ptrdiff_t size = of->size, rest = numbers * (1 + size), m = rest + k - numbers;
    const real *x = x_, *s = s_, *V = V_, *c = c_;
    const real *lower = of->lower, *inverse_width = of->inverse_width;
    real *out = out_;
    for (ptrdiff_t start = 0; start < n; start += EMBEDDING_ROWS) {
        const ptrdiff_t rows = n - start < EMBEDDING_ROWS ? n - start : EMBEDDING_ROWS;
        for (ptrdiff_t r = 0; r < rows; r++) {
            const real *restrict row = x + r * k;
            real *restrict to = out + r * m;
            for (ptrdiff_t i = 0; i < numbers; i++) to[i] = s[i] * row[i];
            for (ptrdiff_t i = numbers; i < k; i++)
                to[rest - numbers + i] = s[rest - numbers + i] * row[i];
        }
        for (ptrdiff_t f = 0; f < numbers; f++) {
            real column[EMBEDDING_ROWS];
            for (ptrdiff_t r = 0; r < rows; r++) column[r] = x[r * k + f];
            for (ptrdiff_t d = 0; d < size; d += EMBEDDING_SUMS) {
                const ptrdiff_t at = f * size + d;
                embed_number(sums_from(d, size), rows, column, n_bins, lower + f * n_bins,
                             inverse_width + f * n_bins, s + numbers + at, V + at * n_bins,
                             c + at, m, out + numbers + at);
            }
        }
        x += rows * k, out += rows * m;
    }
}

/* For scoring, the arrays are packed for blocks of LANES numbers, the last one padded with zeros:
 * c (size, LANES), lower (n_bins, LANES), inverse_width (n_bins, LANES), V (n_bins, size, LANES). */
INLINE ptrdiff_t block_elements(const dnn_embedding *of)
{
    return (of->size + 2 * of->n_bins + of->n_bins * of->size) * LANES;
}

static ptrdiff_t packed_embedding(const dnn_embedding *of)
{
    return (of->n_numeric + LANES - 1) / LANES * block_elements(of);
}

static void pack_embedding(const dnn_embedding *of, const void *V_, const void *c_, void *packed_)
{
    const ptrdiff_t n_bins = of->n_bins, size = of->size;
    const real *lower = of->lower, *inverse_width = of->inverse_width, *V = V_, *c = c_;
    real *packed = packed_;
    memset(packed, 0, (size_t)packed_embedding(of) * sizeof(real));
    for (ptrdiff_t f = 0; f < of->n_numeric; f++) {
        real *to = packed + f / LANES * block_elements(of) + f % LANES;
        for (ptrdiff_t d = 0; d < size; d++, to += LANES) *to = c[f * size + d];
        for (ptrdiff_t t = 0; t < n_bins; t++, to += LANES) *to = lower[f * n_bins + t];
        for (ptrdiff_t t = 0; t < n_bins; t++, to += LANES) *to = inverse_width[f * n_bins + t];
        for (ptrdiff_t t = 0; t < n_bins; t++)
            for (ptrdiff_t d = 0; d < size; d++, to += LANES)
                *to = V[(f * size + d) * n_bins + t];
    }
}

enum { EMBEDDING_BINS = 32 }; /* bins whose q are computed together */

/* sum[d] += sum over the bins of q[t] V[t, d] for LANES numbers. `sums` is a constant. */
INLINE void add_packed_bins(int sums, ptrdiff_t bins, const real *q, const real *V, ptrdiff_t ld,
                            real (*sum)[LANES])
{
    vec total[EMBEDDING_SUMS][LANES / VEC_LANES];
    UNROLL
    for (int d = 0; d < sums; d++) {
        UNROLL
        for (int i = 0; i < LANES / VEC_LANES; i++)
            total[d][i] = ((const unaligned_vec *)sum[d])[i];
    }
    for (ptrdiff_t t = 0; t < bins; t++, q += LANES, V += ld) {
        UNROLL
        for (int d = 0; d < sums; d++) {
            UNROLL
            for (int i = 0; i < LANES / VEC_LANES; i++)
                total[d][i] = VEC_FMA(((const unaligned_vec *)q)[i],
                                      ((const unaligned_vec *)(V + d * LANES))[i], total[d][i]);
        }
    }
    UNROLL
    for (int d = 0; d < sums; d++) {
        UNROLL
        for (int i = 0; i < LANES / VEC_LANES; i++)
            ((unaligned_vec *)sum[d])[i] = total[d][i];
    }
}

/* The outputs of the embedding of `count` <= LANES numbers of a row. */
static void embed_block(const dnn_embedding *of, ptrdiff_t count, const real *x, const real *s,
                        const real *packed, real *out)
{
    const ptrdiff_t n_bins = of->n_bins, size = of->size;
    const real *lower = packed + size * LANES, *inverse_width = lower + n_bins * LANES;
    const real *V = inverse_width + n_bins * LANES;
    real values[LANES] = {0};
    memcpy(values, x, (size_t)count * sizeof(real));
    for (ptrdiff_t d = 0; d < size; d += EMBEDDING_SUMS) {
        const int sums = sums_from(d, size);
        real sum[EMBEDDING_SUMS][LANES], q[EMBEDDING_BINS][LANES];
        memcpy(sum, packed + d * LANES, (size_t)sums * sizeof(sum[0]));
        for (ptrdiff_t t = 0; t < n_bins; t += EMBEDDING_BINS) {
            const ptrdiff_t bins = n_bins - t < EMBEDDING_BINS ? n_bins - t : EMBEDDING_BINS;
            for (ptrdiff_t b = 0; b < bins; b++)
                for (int l = 0; l < LANES; l++)
                    q[b][l] = clip_one((values[l] - lower[(t + b) * LANES + l]) *
                                       inverse_width[(t + b) * LANES + l]);
#define CALL(constant) \
    add_packed_bins(constant, bins, q[0], V + (t * size + d) * LANES, size * LANES, sum)
            FOR_SUMS(sums, CALL)
#undef CALL
        }
        for (ptrdiff_t l = 0; l < count; l++)
            for (int j = 0; j < sums; j++)
                out[l * size + d + j] = s[l * size + d + j] * sum[j][l];
    }
}

static void embed_packed(const dnn_embedding *of, ptrdiff_t n, const void *x_, const void *s_,
                         const void *packed_, void *out_)
{
    const ptrdiff_t k = of->n_inputs, numbers = of->n_numeric, shift = numbers * of->size;
    const real *x = x_, *s = s_;
    real *out = out_;
    for (ptrdiff_t r = 0; r < n; r++, x += k, out += k + shift) {
        const real *packed = packed_;
        for (ptrdiff_t i = 0; i < numbers; i++) out[i] = s[i] * x[i];
        for (ptrdiff_t i = numbers; i < k; i++) out[shift + i] = s[shift + i] * x[i];
        for (ptrdiff_t f = 0; f < numbers; f += LANES, packed += block_elements(of)) {
            const ptrdiff_t count = numbers - f < LANES ? numbers - f : LANES;
            const ptrdiff_t at = numbers + f * of->size;
            embed_block(of, count, x + f, s + at, packed, out + at);
        }
    }
}

/* dx = s dout for the number itself, plus the slope of its embedding. */
static void embed_delta(const dnn_embedding *of, ptrdiff_t n, const void *dout_, const void *x_,
                        const void *s_, const void *V_, void *dx_)
{
    const ptrdiff_t k = of->n_inputs, numbers = of->n_numeric, n_bins = of->n_bins;
    const ptrdiff_t size = of->size, rest = numbers * (1 + size);
    const real *dout = dout_, *x = x_, *s = s_;
    real *dx = dx_;
    for (ptrdiff_t r = 0; r < n; r++, x += k, dx += k, dout += rest + k - numbers) {
        const real *lower = of->lower, *inverse_width = of->inverse_width, *V = V_;
        for (ptrdiff_t f = 0; f < numbers; f++, lower += n_bins, inverse_width += n_bins) {
            const real x_f = x[f];
            real sum = s[f] * dout[f];
            for (ptrdiff_t j = numbers + f * size; j < numbers + (f + 1) * size; j++, V += n_bins) {
                const real du = s[j] * dout[j];
                for (ptrdiff_t t = 0; t < n_bins; t++) {
                    const real q = (x_f - lower[t]) * inverse_width[t];
                    sum = FMA(du, q > 0 && q < 1 ? V[t] * inverse_width[t] : 0, sum);
                }
            }
            dx[f] = sum;
        }
        for (ptrdiff_t i = numbers; i < k; i++)
            dx[i] = s[rest - numbers + i] * dout[rest - numbers + i];
    }
}

/* sum[d, t] += sum over the next `steps` rows of q[r, t] dout[r, d]. `sums` and `steps` are
 * constants; x and dout have leading dimensions. */
INLINE void add_rows(int sums, int steps, ptrdiff_t n_bins, const real *restrict x, ptrdiff_t ld_x,
                     const real *restrict dout, ptrdiff_t ld_dout, const real *restrict lower,
                     const real *restrict inverse_width, real *restrict sum)
{
    for (ptrdiff_t t = 0; t < n_bins; t++) {
        real total[EMBEDDING_SUMS];
        UNROLL
        for (int d = 0; d < sums; d++) total[d] = sum[d * n_bins + t];
        UNROLL
        for (int r = 0; r < steps; r++) {
            const real q = clip_one((x[r * ld_x] - lower[t]) * inverse_width[t]);
            UNROLL
            for (int d = 0; d < sums; d++) total[d] = FMA(q, dout[r * ld_dout + d], total[d]);
        }
        UNROLL
        for (int d = 0; d < sums; d++) sum[d * n_bins + t] = total[d];
    }
}

/* Adds rows to the sums of the numbers [first, last): ds[i] += x[i] dout[i] of the number itself;
 * dV[d, t] += q[t] dout[d] and dc[d] += dout[d] of its embedding. `steps` is a constant. */
INLINE void add_gradients(const dnn_embedding *of, int steps, ptrdiff_t first, ptrdiff_t last,
                          const real *x, const real *dout, real *dV, real *dc)
{
    const ptrdiff_t k = of->n_inputs, numbers = of->n_numeric, n_bins = of->n_bins;
    const ptrdiff_t size = of->size, m = numbers * size + k;
    for (ptrdiff_t f = first; f < last; f++) {
        const real *lower = (const real *)of->lower + f * n_bins;
        const real *inverse_width = (const real *)of->inverse_width + f * n_bins;
        for (ptrdiff_t d = 0; d < size; d += EMBEDDING_SUMS) {
            const ptrdiff_t at = f * size + d;
#define CALL(constant)                                                                      \
    add_rows(constant, steps, n_bins, x + f, k, dout + numbers + at, m, lower, inverse_width, \
             dV + at * n_bins)
            FOR_SUMS(sums_from(d, size), CALL)
#undef CALL
        }
    }
    for (int r = 0; r < steps; r++, dout += m)
        for (ptrdiff_t j = first * size; j < last * size; j++) dc[j] += dout[numbers + j];
}

/* ds[i] = sum over r of x[r, i] dout[r, i] for `cols` columns. */
static void sum_products(ptrdiff_t n, ptrdiff_t cols, const real *restrict x, ptrdiff_t ld_x,
                         const real *restrict dout, ptrdiff_t ld_dout, real *restrict ds)
{
    for (ptrdiff_t i = 0; i < cols; i++) ds[i] = 0;
    for (ptrdiff_t r = 0; r < n; r++, x += ld_x, dout += ld_dout)
        for (ptrdiff_t i = 0; i < cols; i++) ds[i] = FMA(x[i], dout[i], ds[i]);
}

static void embed_gradient(const dnn_embedding *of, ptrdiff_t n, ptrdiff_t first, ptrdiff_t last,
                           const void *dout_, const void *x_, const void *s_, const void *V_,
                           const void *c_, void *ds_, void *dV_, void *dc_)
{
    const ptrdiff_t k = of->n_inputs, numbers = of->n_numeric, n_bins = of->n_bins;
    const ptrdiff_t size = of->size, m = numbers * size + k;
    const real *dout = dout_, *x = x_, *s = (const real *)s_ + numbers, *V = V_, *c = c_;
    real *ds = ds_, *dV = dV_, *dc = dc_;
    assert(0 <= first && first <= last && (last <= numbers || (first >= numbers && last <= k)));
    const ptrdiff_t shift = first < numbers ? 0 : numbers * size;
    sum_products(n, last - first, x + first, k, dout + shift + first, m, ds + shift + first);
    if (first >= numbers) return;
    memset(dV + first * size * n_bins, 0, (size_t)((last - first) * size * n_bins) * sizeof(real));
    memset(dc + first * size, 0, (size_t)((last - first) * size) * sizeof(real));
    ptrdiff_t r = 0;
    for (; r + EMBEDDING_STEPS <= n; r += EMBEDDING_STEPS)
        add_gradients(of, EMBEDDING_STEPS, first, last, x + r * k, dout + r * m, dV, dc);
    for (; r < n; r++) add_gradients(of, 1, first, last, x + r * k, dout + r * m, dV, dc);
    /* From the sums of dout to those of du = s dout, which every row has in common with ds. */
    for (ptrdiff_t j = first * size; j < last * size; j++) {
        real *of_output = dV + j * n_bins;
        real sum = c[j] * dc[j];
        for (ptrdiff_t t = 0; t < n_bins; t++) sum = FMA(V[j * n_bins + t], of_output[t], sum);
        ds[numbers + j] = sum;
        for (ptrdiff_t t = 0; t < n_bins; t++) of_output[t] *= s[j];
        dc[j] *= s[j];
    }
}

#endif
