/* The C layer of dnncore: vector operations on rows of float or double, and the instruction sets
 * for which they are compiled.
 *
 * One source (ops/) is compiled for each instruction set and each type (isa/). Every result is
 * computed by IEEE operations in an order fixed by the source: multiply-adds are explicit fma()
 * calls (contraction is disabled), and sums use lanes of DNN_LANE_BYTES for any register width.
 * All instruction sets therefore return the same bits.
 *
 * Conventions for all functions of dnn_ops:
 *   - `void *` stands for `float *` in dnn_isa.f32 and `double *` in dnn_isa.f64, here `real`;
 *   - matrices are row-major and contiguous, with `rows` >= 0 and `cols` >= 1;
 *   - IN arrays are read, OUT arrays overwritten, IN/OUT arrays updated; OUT arrays come last;
 *   - an OUT array may be identical to an IN array of the same shape, but must not overlap it
 *     partially; the arrays of products and updates must not overlap at all;
 *   - no function allocates memory or fails; arguments are asserted in the debug build only.
 *
 * Errors, which tests/_core/test_csrc.py and tests/_core/test_error_bounds.py check, are given
 *   - in ULP: the distance from the correctly rounded result, counted in representable numbers;
 *     "at" is the input with the result farthest from the exact one, among all floats and among
 *     10^8 doubles (3 10^7 for SILU, GELU and MISH);
 *   - in eps, 2^-23 for float and 2^-52 for double, to first order, where sums are involved.
 *     depth(n) is the number of additions that an element undergoes in a sum over a row of n: n
 *     for rows shorter than the lanes (16 floats, 8 doubles), n / lanes + 5 for others.
 */
#ifndef DNN_OPS_H
#define DNN_OPS_H

#include <stddef.h>
#include <stdint.h>

enum { DNN_LANE_BYTES = 64 };

/* Number of rows that add_moments merges at a time. */
enum { DNN_MOMENTS_ROWS = 256 };

/* Number of rows of W that sparse_update updates at a time. */
enum { DNN_SPARSE_ROWS = 16 };

/* a = f(z), and f'(z) as a function of a:
 *   LOGISTIC: 1 / (1 + exp(-z)), a (1 - a)      TANH: 1 - a^2
 *   RELU: max(z, 0), 1 if a > 0 else 0          IDENTITY: 1
 *   SELU: s z if z > 0 else t (exp(z) - 1), s if a > 0 else a + t, with s = 1.0507009873554805 and
 *         t = 1.7580993408473768
 *   EXP: exp(z), at most the largest finite number, a; a function of outputs, not of hidden layers
 * a = f(z), and the slope f'(z), which is not a function of a:
 *   SILU: z p, p (1 + z (1 - p)), with p = 1 / (1 + exp(-z))
 *   GELU: z Phi(z), Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi), with the normal distribution function
 *         Phi(z) = (1 + erf(z / sqrt(2))) / 2
 *   MISH: z t, t + z (1 - t^2) / (1 + exp(-z)), with t = tanh(log(1 + exp(z))) */
typedef enum dnn_activation {
    DNN_IDENTITY,
    DNN_LOGISTIC,
    DNN_TANH,
    DNN_RELU,
    DNN_SELU,
    DNN_SILU,
    DNN_GELU,
    DNN_MISH,
    DNN_EXP
} dnn_activation;

/* Losses that are sums over the outputs of a row, with targets Y and residual d:
 *   BINARY_CROSS_ENTROPY: -(Y log p + (1 - Y) log(1 - p)), p = 1 / (1 + exp(-z));  d = p - Y
 *   SQUARED_ERROR:        (z - Y)^2 / 2;                                           d = z - Y
 *   HUBER:                (z - Y)^2 / 2 where |z - Y| <= delta, else delta (|z - Y| - delta / 2);
 *                         d = z - Y, clipped to [-delta, delta]
 *   ABSOLUTE_ERROR:       |z - Y|;                                  d = sign of z - Y, 0 for z = Y
 *   QUANTILE:             (1 - q) (z - Y) where z > Y, else q (Y - z), with the level q of the output;
 *                         d = 1 - q where z > Y, 0 for z = Y, else -q
 *   POISSON:              Y log(Y / m) - Y + m, with m = exp(z) and Y >= 0;                d = m - Y
 *                         In both, z and m are limited so that m is finite. */
typedef enum dnn_loss {
    DNN_BINARY_CROSS_ENTROPY,
    DNN_SQUARED_ERROR,
    DNN_HUBER,
    DNN_ABSOLUTE_ERROR,
    DNN_QUANTILE,
    DNN_POISSON
} dnn_loss;

/* Update of weights w from their gradient including the L2 penalty, g + decay * w, here g.
 *   SGD:      w -= rate * g
 *   MOMENTUM: v = momentum * v - rate * g;  w += v
 *   NESTEROV: v = momentum * v - rate * g;  w += momentum * v - rate * g
 *   ADAM:     m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 *             w -= rate * m / (sqrt(v) + epsilon); `rate` includes the bias correction
 *   ADAMW:    as ADAM, but w -= rate * m / (sqrt(v) + epsilon) + shrink * w, with the decoupled
 *             weight decay `shrink`; `rate` and `epsilon` include the bias correction
 *   GRADIENT: state1 = g; w stays as it is
 * A state v or m below the smallest normal number becomes 0; so does g in ADAM and ADAMW where
 * (1 - beta2) g^2 is below it. */
typedef enum dnn_update {
    DNN_SGD,
    DNN_MOMENTUM,
    DNN_NESTEROV,
    DNN_ADAM,
    DNN_ADAMW,
    DNN_GRADIENT
} dnn_update;

/* One step of a solver for a group of parameters. For biases, `decay` and `shrink` are 0. */
typedef struct dnn_step {
    dnn_update update;
    double rate;
    double decay;  /* L2 penalty: added to the gradient, times w */
    double shrink; /* ADAMW: subtracted from w, times w */
    double momentum;
    double beta1, beta2, epsilon;
} dnn_step;

/* A piecewise-linear embedding of the first `n_numeric` of `n_inputs` inputs; see embed. */
typedef struct dnn_embedding {
    ptrdiff_t n_inputs, n_numeric;
    ptrdiff_t n_bins, size;     /* bins of a number, and outputs of its embedding, at least 1 */
    const void *lower;          /* (n_numeric, n_bins), lower edges of the bins */
    const void *inverse_width;  /* (n_numeric, n_bins), 0 for bins that are not used */
} dnn_embedding;

/* Rows of a CSR matrix in canonical order: the column indices of a row increase. Row r is row index[r]
 * of the matrix, or row first + r if index is NULL. */
typedef struct dnn_csr_rows {
    const void *values;           /* of type real */
    const void *indices, *indptr; /* int64_t if `wide`, else int32_t */
    int wide;
    const ptrdiff_t *index;
    ptrdiff_t first;
} dnn_csr_rows;

typedef struct dnn_ops {
    /* ---------------------------------------------------------------- elementwise functions */

    /* y = exp(x).
     *   IN  x (n,)
     *   OUT y (n,)
     * 1 ULP: float at 0x1.4cc672p+2, double at 0x1.9216dbad6b92p+5. */
    void (*exp)(ptrdiff_t n, const void *x, void *y);

    /* y = log(x).
     *   IN  x (n,)
     *   OUT y (n,)
     * 1 ULP: float at 0x1.69cf3ep+0, double at 0x1.6748f3056ed6dp+0. */
    void (*log)(ptrdiff_t n, const void *x, void *y);

    /* a = f(z), and slope = f'(z).
     *   IN  z (n,)
     *   OUT a (n,); slope (n,), which must not overlap z and a, or NULL. It is NULL if f'(z) is a
     *       function of a.
     * LOGISTIC 2 ULP: float at -0x1.b7fa08p+1, double at -0x1.364c2a6a48bf9p+2.
     * TANH 2 ULP: float at 0x1.bb62c8p-1, double at 0x1.b9842941c76d2p-1.
     * SELU 2 ULP: float at -0x1.552ba2p-2, double at -0x1.292030639d5c0p-4.
     * SILU 3 ULP: float at -0x1.7c16d4p+2, double at -0x1.f0713edc325c0p+0.
     * GELU 6 ULP: float at -0x1.c238bap+2, double at -0x1.8ffc20de7b39ep+4.
     * MISH 5 ULP: float at -0x1.9e154ep+1; double 4 ULP at -0x1.036b2a1d8575cp+1. EXP as exp. Others
     * are exact.
     * slope: SILU 3 eps, GELU 6 eps, MISH 4 eps of the sum of the absolute values of its
     * terms above. */
    void (*activate)(dnn_activation activation, ptrdiff_t n, const void *z, void *a, void *slope);

    /* dz = da * f'(z).
     *   IN  da (n,); kept (n,): the slope of SILU, GELU or MISH, else a = f(z)
     *   OUT dz (n,)
     * For the given `kept`: LOGISTIC 2 ULP, TANH 1 ULP, SELU 1 ULP, others exact. */
    void (*activate_backward)(dnn_activation activation, ptrdiff_t n, const void *da,
                              const void *kept, void *dz);

    /* z = f(z + b) in every row, and slope as in activate.
     *   IN     b (cols,)
     *   IN/OUT z (rows, cols)
     *   OUT    slope (rows, cols) or NULL
     * The sum is correctly rounded, then the errors of activate apply. */
    void (*add_bias)(dnn_activation activation, ptrdiff_t rows, ptrdiff_t cols, const void *b,
                     void *z, void *slope);

    /* out = x * factor where a random number is at least `drop_below`, else 0. The random numbers
     * are determined by `key` and first + i, and uniform over the 32-bit integers.
     *   IN  x (n,)
     *   OUT out (n,)
     * The product with (real)factor is correctly rounded. */
    void (*dropout)(uint32_t key, uint32_t drop_below, double factor, ptrdiff_t first, ptrdiff_t n,
                    const void *x, void *out);

    /* ---------------------------------------------------------------------- sums and checks */

    /* out[c] = sum over r of x[r, c], added in the order of the rows.
     *   IN  x (rows, cols)
     *   OUT out (cols,)
     * rows / 2 eps times the sum of |x[r, c]|. */
    void (*column_sums)(ptrdiff_t rows, ptrdiff_t cols, const void *x, void *out);

    /* Sum of x^2.
     *   IN x (n,)
     * (depth(n) + 1) / 2 eps of the result. */
    double (*sum_squares)(ptrdiff_t n, const void *x);

    /* Returns whether all x are finite.
     *   IN x (n,) */
    int (*all_finite)(ptrdiff_t n, const void *x);

    /* -------------------------------------------------------------------------- input rows */

    /* out[r] = x[index[r]], or x[r] if index is NULL.
     *   IN  x (any, cols)
     *   IN  index (fetchable,) or NULL; the elements after the first `rows` <= fetchable are needed
     *       next, and their rows are prefetched; fetchable is 0 if index is NULL
     *   OUT out (rows, cols), must not overlap x unless index is NULL */
    void (*gather_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                        ptrdiff_t fetchable, void *out);

    /* out[r] = (x[index[r]] - mean) / scale, or (x[r] - mean) / scale if index is NULL.
     *   IN  x, index, fetchable as in gather_rows
     *   IN  mean (cols,), scale (cols,)
     *   OUT out (rows, cols), must not overlap x unless index is NULL
     * 1 ULP. */
    void (*norm)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                 ptrdiff_t fetchable, const void *mean, const void *scale, void *out);

    /* dx = da / scale in every row.
     *   IN  da (rows, cols), scale (cols,)
     *   OUT dx (rows, cols)
     * Correctly rounded. */
    void (*norm_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *da, const void *scale,
                          void *dx);

    /* Updates the weighted mean and variance of each column with rows. Chunks of DNN_MOMENTS_ROWS
     * rows, starting at the first row, are merged one after another: several calls with whole
     * chunks give the same bits as one call with all rows.
     *   IN     x (rows, cols); NaN is allowed, and ignored, only if `missing`
     *   IN     weight (rows,), non-negative, or NULL for ones
     *   IN/OUT count (cols,), the sum of weights so far; mean (cols,), variance (cols,)
     * In eps of double, after any number of chunks, with S = the largest |x| / standard deviation:
     * mean: (chunks + 4) S + 600 of the standard deviation; variance: (chunks + 4) S + 600 of the
     * variance. */
    void (*add_moments)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const double *weight,
                        int missing, double *count, double *mean, double *variance);

    /* Updates the smallest and largest value of each column with the rows of positive weight.
     *   IN     x (rows, cols); NaN is ignored
     *   IN     weight (rows,), or NULL for ones
     *   IN/OUT low, high (cols,)
     * Exact. */
    void (*add_ranges)(ptrdiff_t rows, ptrdiff_t cols, const void *x, const double *weight,
                       double *low, double *high);

    /* ----------------------------------------------------------------------------- softmax */

    /* p = exp(z) / sum of exp(z), in every row.
     *   IN  z (rows, cols)
     *   OUT p (rows, cols)
     * (max z - z + log cols + depth(cols) + 7) / 2 eps of p. */
    void (*softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z, void *p);

    /* log_p = z - log of the sum of exp(z), in every row.
     *   IN  z (rows, cols)
     *   OUT log_p (rows, cols)
     * |log_p| + (4 log cols + depth(cols) + 3) / 2 eps, absolute. */
    void (*log_softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z, void *log_p);

    /* dz = p * (dp - sum of dp_j p_j), the full Jacobian diag(p) - p p^T times dp.
     *   IN  dp (rows, cols), p (rows, cols)
     *   OUT dz (rows, cols)
     * (depth(cols) + 4) / 2 eps of p * (|dp| + sum of |dp_j| p_j). */
    void (*softmax_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *dp, const void *p,
                             void *dz);

    /* out = the elements of x in ascending order, in every row.
     *   IN  x (rows, cols)
     *   OUT out (rows, cols) */
    void (*sort_rows)(ptrdiff_t rows, ptrdiff_t cols, const void *x, void *out);

    /* dx[i] = dout[j], where element i of x is element j of the sorted row.
     *   IN  dout (rows, cols), x (rows, cols)
     *   OUT dx (rows, cols), must not overlap the others */
    void (*sort_rows_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *dout, const void *x,
                               void *dx);

    /* ------------------------------------------------------------------------------ losses
     *
     * The label of row r is the class index label[r] or, if label is NULL, the soft labels L[r].
     * The loss of row r is multiplied by factor_r = inverse_total * weight[r]; weight == NULL stands
     * for ones. Below, `mass` is the sum of a row of L, 1 for a class index, and loss_r is the loss
     * of row r without its factor. */

    /* row_loss[r] = -factor_r * sum of L_i log p_i; p below the smallest normal number is replaced
     * by that number.
     *   IN  p (rows, cols)
     *   IN  label (rows,) in [0, cols), or NULL and L (rows, cols); weight (rows,) or NULL
     *   OUT row_loss (rows,)
     * (depth(cols) + 4) / 2 eps of row_loss, if p <= 1. */
    void (*cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *p, const ptrdiff_t *label,
                          const void *L, double inverse_total, const void *weight,
                          double *row_loss);

    /* dp = -factor_r * L / p.
     *   IN  p, label, L, weight as in cross_entropy
     *   OUT dp (rows, cols)
     * 2 ULP. */
    void (*cross_entropy_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *p,
                                   const ptrdiff_t *label, const void *L, double inverse_total,
                                   const void *weight, void *dp);

    /* row_loss as in cross_entropy with p = softmax(z), and dz = factor_r * (p * mass - L).
     *   IN  z (rows, cols); label, L, weight as in cross_entropy
     *   OUT row_loss (rows,), dz (rows, cols)
     * row_loss: (depth(cols) + 4) / 2 eps of factor_r * (loss_r + mass * (1 + log cols)).
     * dz: (log cols + 2 depth(cols) + 13) / 2 eps of factor_r * mass. */
    void (*softmax_cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *z,
                                  const ptrdiff_t *label, const void *L, double inverse_total,
                                  const void *weight, double *row_loss, void *dz);

    /* row_loss[r] = factor_r * the sum over the outputs of row r, and dz = factor_r * d.
     *   IN  parameters of the loss: delta of HUBER (1,), the levels q of QUANTILE (cols,), which are
     *       converted to real; others ignore them
     *   IN  z (rows, cols), targets Y (rows, cols), weight (rows,) or NULL
     *   OUT row_loss (rows,), dz (rows, cols)
     * row_loss: 4 eps of it for BINARY_CROSS_ENTROPY with Y in [0, 1], 2 eps of the sum of
     * m + Y (1 + |log Y| + |z|) for POISSON, else 1 eps; plus, for the sum, cols / 16 + 5 eps of
     * double. dz: 4 eps of factor_r for BINARY_CROSS_ENTROPY, 2 eps of factor_r (m + Y) for POISSON,
     * else 2 ULP. */
    void (*elementwise_loss)(dnn_loss loss, const double *parameters, ptrdiff_t rows,
                             ptrdiff_t cols, const void *z, const void *Y, double inverse_total,
                             const void *weight, double *row_loss, void *dz);

    /* --------------------------------------------------------------------- layers: training
     *
     * The three products of a layer a (n, k) -> z (n, m) with weights W (k, m), with the activation
     * function or update applied while results are in the cache. Every result is one chain of
     * multiply-adds over the inner dimension in ascending order, starting from the bias if there
     * is one. The error of a product is therefore at most (length of the chain) / 2 eps of the sum
     * of the absolute values of its terms. */

    /* Returns the number of elements of the scratch array of the products. */
    size_t (*layer_scratch)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m);

    /* out = f(a W + b), and slope as in activate.
     *   IN  a (n, k), W (k, m), b (m,)
     *   OUT scratch (layer_scratch(n, k, m),), contents undefined
     *   OUT out (n, m); slope (n, m) or NULL */
    void (*layer_forward)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a, const void *W,
                          const void *b, dnn_activation activation, void *scratch, void *out,
                          void *slope);

    /* out = (dz W^T) f', where f' is computed from `kept` as in activate_backward.
     *   IN  dz (n, m), W (k, m), kept (n, k)
     *   OUT scratch as in layer_forward
     *   OUT out (n, k) */
    void (*layer_delta)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *dz, const void *W,
                        const void *kept, dnn_activation activation, void *scratch, void *out);

    /* Updates rows [first, last) of W from their gradient a^T dz, which is not stored.
     *   IN     a (n, k), dz (n, m)
     *   OUT    scratch as in layer_forward
     *   IN/OUT state1 (k, m), state2 (k, m), the state of the update; any such array if unused
     *   IN/OUT W (k, m) */
    void (*layer_update)(const dnn_step *step, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m,
                         ptrdiff_t first, ptrdiff_t last, const void *a, const void *dz,
                         void *scratch, void *state1, void *state2, void *W);

    /* out = f(a W + b), bit for bit equal to layer_forward with dense rows, except that the sign of a
     * zero may differ. W must be finite: rows of W for which a row has no element are not read.
     *   IN  n rows of a (., k), W (k, m), b (m,)
     *   OUT out (n, m); slope (n, m) or NULL, as in activate
     * The chain of multiply-adds has the length of the stored elements of a row. */
    void (*sparse_forward)(const dnn_csr_rows *a, ptrdiff_t n, ptrdiff_t m, const void *W,
                           const void *b, dnn_activation activation, void *out, void *slope);

    /* Updates rows [first, last) of W as layer_update does with dense rows, bit for bit, except that
     * the sign of a zero may differ. dz must be finite.
     *   IN     n rows of a (., k), dz (n, m)
     *   OUT    cursors (2 n,), scratch (DNN_SPARSE_ROWS * m,), contents undefined
     *   IN/OUT state1, state2, W as in layer_update
     * The chain of a weight has the length of the stored elements of its column. */
    void (*sparse_update)(const dnn_step *step, const dnn_csr_rows *a, ptrdiff_t n, ptrdiff_t m,
                          ptrdiff_t first, ptrdiff_t last, const void *dz, ptrdiff_t *cursors,
                          void *scratch, void *state1, void *state2, void *W);

    /* Updates n parameters w from their gradient g.
     *   IN     g (n,)
     *   IN/OUT state1 (n,), state2 (n,), the state of the update; any such array if unused
     *   IN/OUT w (n,)
     * Every operation and multiply-add of dnn_update is rounded once. */
    void (*update)(const dnn_step *step, ptrdiff_t n, const void *g, void *state1, void *state2,
                   void *w);

    /* ------------------------------------------------------------------- layers: embedding
     *
     * With f < n_numeric, i >= n_numeric, d < size, t < n_bins and
     *   q[f, t] = clip((x[f] - lower[f, t]) * inverse_width[f, t], 0, 1),
     * the m = n_numeric * size + n_inputs columns of `out` are
     *   s x[f]; s (c[f, d] + sum over t of q[f, t] V[f, d, t]); s x[i]
     * in this order, with the elements of s (m,) in the order of the columns. */

    /* out as above.
     *   IN  x (n, n_inputs); s (m,), V (n_numeric, size, n_bins), c (n_numeric, size)
     *   OUT out (n, m), must not overlap x
     * For the q of the given type: (n_bins + 4) / 2 eps of |s| times the sum of the absolute values
     * of the terms. */
    void (*embed)(const dnn_embedding *of, ptrdiff_t n, const void *x, const void *s,
                  const void *V, const void *c, void *out);

    /* dx[f] = s dout[f] + sum over d, t of s dout[f, d] V[f, d, t] inverse_width[f, t], for the t
     * with 0 < q[f, t] < 1; dx[i] = s dout[i].
     *   IN  dout (n, m), x (n, n_inputs); s, V as in embed
     *   OUT dx (n, n_inputs)
     * (size * n_bins + 4) / 2 eps of the sum of the absolute values of the terms. */
    void (*embed_delta)(const dnn_embedding *of, ptrdiff_t n, const void *dout, const void *x,
                        const void *s, const void *V, void *dx);

    /* The gradients of the parameters of the inputs [first, last), which are either all numbers
     * or all not. With sums over the rows, ds[j] = sum of dout[j] u[j], where out = s u;
     * dV[f, d, t] = s sum of q[f, t] dout[f, d]; dc[f, d] = s sum of dout[f, d].
     *   IN  dout (n, m), x (n, n_inputs); s, V, c as in embed
     *   OUT ds (m,), dV (n_numeric, size, n_bins), dc (n_numeric, size), the elements of the inputs
     * For the q of the given type: (n + n_bins + 4) / 2 eps of the sum of the absolute values of
     * the terms. */
    void (*embed_gradient)(const dnn_embedding *of, ptrdiff_t n, ptrdiff_t first, ptrdiff_t last,
                           const void *dout, const void *x, const void *s, const void *V,
                           const void *c, void *ds, void *dV, void *dc);

    /* ---------------------------------------------------------------------- layers: scoring */

    /* Returns m rounded up to the number of columns of packed weights. */
    ptrdiff_t (*packed_cols)(ptrdiff_t m);

    /* Packs weights in the layout of this instruction set.
     *   IN  W (k, m)
     *   OUT packed (k * packed_cols(m),) */
    void (*pack_weights)(ptrdiff_t k, ptrdiff_t m, const void *W, void *packed);

    /* out = f(a W + b), bit for bit equal to layer_forward, except that the sign of a zero may
     * differ. W must be finite.
     *   IN  a (n, k) with leading dimension ld_a >= k; packed W; b (m,)
     *   OUT out (n, m) with leading dimension ld_out >= packed_cols(m); the columns from m to
     *       packed_cols(m) are overwritten */
    void (*forward_packed)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a, ptrdiff_t ld_a,
                           const void *packed, const void *b, dnn_activation activation,
                           ptrdiff_t ld_out, void *out);

    /* Returns the number of elements of a packed embedding. */
    ptrdiff_t (*packed_embedding)(const dnn_embedding *of);

    /* Packs an embedding for single rows, in the same layout for all instruction sets.
     *   IN  V, c as in embed
     *   OUT packed (packed_embedding(of),) */
    void (*pack_embedding)(const dnn_embedding *of, const void *V, const void *c, void *packed);

    /* out as from embed, bit for bit.
     *   IN  x, s as in embed; packed embedding
     *   OUT out (n, m), must not overlap x */
    void (*embed_packed)(const dnn_embedding *of, ptrdiff_t n, const void *x, const void *s,
                         const void *packed, void *out);
} dnn_ops;

typedef struct dnn_isa {
    const char *name; /* "avx512", "avx2", "neon" or "generic" */
    const dnn_ops *f32, *f64;
} dnn_isa;

/* Returns the i-th instruction set supported by the processor and operating system, best first and
 * "generic" last; NULL past the end. Static storage. */
const dnn_isa *dnn_isa_available(int i);

#endif
