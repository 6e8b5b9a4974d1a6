/* Sums, dot products and maxima of rows; sums of columns. */
#ifndef DNN_ROWS_H
#define DNN_ROWS_H

#include "real.h"

/* Element i is added to lane i % LANES; the lanes are then folded in halves. Rows shorter than the
 * lanes are summed in order, which is faster. */
INLINE real fold_sum(real *lane)
{
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

INLINE real row_sum(ptrdiff_t n, const real *x)
{
    if (n < LANES) {
        real sum = x[0];
        for (ptrdiff_t i = 1; i < n; i++) sum += x[i];
        return sum;
    }
    real lane[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += x[i + j];
    for (int j = 0; i + j < n; j++) lane[j] += x[i + j];
    return fold_sum(lane);
}

INLINE real row_dot(ptrdiff_t n, const real *x, const real *y)
{
    if (n < LANES) {
        real sum = 0;
        for (ptrdiff_t i = 0; i < n; i++) sum = FMA(x[i], y[i], sum);
        return sum;
    }
    real lane[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = FMA(x[i + j], y[i + j], lane[j]);
    for (int j = 0; i + j < n; j++) lane[j] = FMA(x[i + j], y[i + j], lane[j]);
    return fold_sum(lane);
}

INLINE real row_max(ptrdiff_t n, const real *x)
{
    if (n < LANES) {
        real top = x[0];
        for (ptrdiff_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
        return top;
    }
    real lane[LANES];
    ptrdiff_t i = 0;
    for (int j = 0; j < LANES; j++) lane[j] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (int j = 0; i + j < n; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            lane[j] = lane[j + width] > lane[j] ? lane[j + width] : lane[j];
    return lane[0];
}

/* Number of independent sums that hide the latency of addition. */
enum { SUMS = 4 * LANES };

/* out[j] = sum over r of x[r, j] for j < count, a constant; x has the leading dimension `cols`. */
INLINE void sum_columns(int count, ptrdiff_t rows, ptrdiff_t cols, const real *x, real *out)
{
    real sum[SUMS] = {0};
    for (ptrdiff_t r = 0; r < rows; r++, x += cols)
        for (int j = 0; j < count; j++) sum[j] += x[j];
    memcpy(out, sum, (size_t)count * sizeof(real));
}

static void column_sums(ptrdiff_t rows, ptrdiff_t cols, const void *x_, void *out_)
{
    const real *x = x_;
    real *restrict out = out_;
    if (cols < LANES) {
        real sum[LANES] = {0};
        /* Reads past the end of a row into the following ones, as long as there are any. */
        ptrdiff_t r = 0;
        for (; (r * cols) + LANES <= rows * cols; r++)
            for (int j = 0; j < LANES; j++) sum[j] += x[r * cols + j];
        real last[LANES];
        memcpy(last, sum, sizeof last);
        for (; r < rows; r++)
            for (ptrdiff_t c = 0; c < cols; c++) last[c] += x[r * cols + c];
        memcpy(out, last, (size_t)cols * sizeof(real));
        return;
    }
    ptrdiff_t start = 0;
    for (; start + SUMS <= cols; start += SUMS) sum_columns(SUMS, rows, cols, x + start, out + start);
    for (; start < cols; start += LANES) {
        /* The last lanes overlap columns that are already done. */
        const ptrdiff_t c = start + LANES <= cols ? start : cols - LANES;
        sum_columns(LANES, rows, cols, x + c, out + c);
    }
}

/* Element i is added to sum i % SUMS; the sums are then folded in halves. */
static double sum_squares(ptrdiff_t n, const void *x_)
{
    const real *x = x_;
    real sum[SUMS] = {0};
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int j = 0; j < SUMS; j++) sum[j] = FMA(x[i + j], x[i + j], sum[j]);
    for (int j = 0; i + j < n; j++) sum[j] = FMA(x[i + j], x[i + j], sum[j]);
    for (int j = 0; j < SUMS / 2; j++) sum[j] += sum[j + SUMS / 2];
    for (int j = 0; j < LANES; j++) sum[j] += sum[j + LANES];
    return (double)fold_sum(sum);
}

/* x - x is 0 if x is finite, else NaN. */
static int all_finite(ptrdiff_t n, const void *x_)
{
    const real *x = x_;
    real sum[SUMS] = {0}, total = 0;
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int j = 0; j < SUMS; j++) sum[j] += x[i + j] - x[i + j];
    for (; i < n; i++) total += x[i] - x[i];
    for (int j = 0; j < SUMS; j++) total += sum[j];
    return total == 0;
}

#endif
