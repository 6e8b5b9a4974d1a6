/* Softmax and log-softmax of rows. */
#ifndef DNN_SOFTMAX_H
#define DNN_SOFTMAX_H

#include "exp_log.h"
#include "rows.h"
#include "transpose.h"

/* s = z - max(z), limited to finite values: the difference of two finite numbers can overflow. Half
 * the range remains for sums of such numbers. */
INLINE void shift_row(ptrdiff_t cols, const real *z, real *s)
{
    real top = row_max(cols, z);
    ELEMENTWISE
    for (ptrdiff_t c = 0; c < cols; c++) {
        real d = z[c] - top;
        s[c] = d < -REAL_MAX / 2 ? -REAL_MAX / 2 : d;
    }
}

/* Rows shorter than the lanes are processed in transposed blocks t (cols, m), so that each lane
 * processes a different row. shift_columns: t = z - max(z) as above; sum_of_columns:
 * total[r] = sum_c t. */
INLINE void shift_columns(ptrdiff_t m, ptrdiff_t cols, real *t)
{
    real top[BLOCK];
    memcpy(top, t, (size_t)m * sizeof(real));
    for (ptrdiff_t c = 1; c < cols; c++) {
        ELEMENTWISE
        for (ptrdiff_t r = 0; r < m; r++) top[r] = t[c * m + r] > top[r] ? t[c * m + r] : top[r];
    }
    for (ptrdiff_t c = 0; c < cols; c++) {
        ELEMENTWISE
        for (ptrdiff_t r = 0; r < m; r++) {
            real d = t[c * m + r] - top[r];
            t[c * m + r] = d < -REAL_MAX / 2 ? -REAL_MAX / 2 : d;
        }
    }
}

INLINE void sum_of_columns(ptrdiff_t m, ptrdiff_t cols, const real *restrict t,
                           real *restrict total)
{
    memcpy(total, t, (size_t)m * sizeof(real));
    for (ptrdiff_t c = 1; c < cols; c++)
        for (ptrdiff_t r = 0; r < m; r++) total[r] += t[c * m + r];
}

static void softmax_short_rows(ptrdiff_t m, ptrdiff_t cols, const real *z, real *p)
{
    real t[BLOCK], total[BLOCK];
    transpose(m, cols, z, cols, t, m);
    shift_columns(m, cols, t);
    exp_negative(m * cols, t, t);
    sum_of_columns(m, cols, t, total);
    for (ptrdiff_t c = 0; c < cols; c++)
        for (ptrdiff_t r = 0; r < m; r++) t[c * m + r] /= total[r];
    transpose(cols, m, t, m, p, cols);
}

static void softmax_rows(ptrdiff_t m, ptrdiff_t cols, const real *z, real *p)
{
    for (ptrdiff_t r = 0; r < m; r++) shift_row(cols, z + r * cols, p + r * cols);
    exp_negative(m * cols, p, p);
    for (ptrdiff_t r = 0; r < m; r++) {
        real *row = p + r * cols;
        real total = row_sum(cols, row);
        for (ptrdiff_t c = 0; c < cols; c++) row[c] /= total;
    }
}

static void softmax(ptrdiff_t rows, ptrdiff_t cols, const void *z_, void *p_)
{
    assert(same_or_apart(rows * cols, z_, p_));
    const real *z = z_;
    real *p = p_;
    while (rows > 0) {
        ptrdiff_t m = rows_in_block(rows, cols);
        if (cols < LANES && m > 1) softmax_short_rows(m, cols, z, p);
        else softmax_rows(m, cols, z, p);
        rows -= m, z += m * cols, p += m * cols;
    }
}

static void log_softmax(ptrdiff_t rows, ptrdiff_t cols, const void *z_, void *out_)
{
    assert(same_or_apart(rows * cols, z_, out_));
    const real *z = z_;
    real *out = out_;
    for (; rows > 0; rows--, z += cols, out += cols) {
        real buffer[BLOCK], lane[LANES] = {0};
        shift_row(cols, z, out);
        for (ptrdiff_t start = 0; start < cols; start += BLOCK) {
            ptrdiff_t n = cols - start < BLOCK ? cols - start : BLOCK, i = 0;
            exp_negative(n, out + start, buffer);
            for (; i + LANES <= n; i += LANES)
                for (int j = 0; j < LANES; j++) lane[j] += buffer[i + j];
            for (int j = 0; i + j < n; j++) lane[j] += buffer[i + j];
        }
        real log_total = log_one(fold_sum(lane));
        for (ptrdiff_t c = 0; c < cols; c++) out[c] -= log_total;
    }
}

static void softmax_backward(ptrdiff_t rows, ptrdiff_t cols, const void *dp_, const void *p_,
                             void *dz_)
{
    assert(same_or_apart(rows * cols, dp_, dz_) && same_or_apart(rows * cols, p_, dz_));
    const real *dp = dp_, *p = p_;
    real *dz = dz_;
    for (; rows > 0; rows--, dp += cols, p += cols, dz += cols) {
        real dot = row_dot(cols, dp, p);
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) dz[c] = p[c] * (dp[c] - dot);
    }
}

#endif
