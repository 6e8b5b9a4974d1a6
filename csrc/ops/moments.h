/* Mean, variance and range of columns, in double, over rows of `real`.
 *
 * There are two passes over a chunk of rows: one for the mean, and one for the deviations from it;
 * the mean of the deviations corrects the rounding error of the first mean. Chunks are merged one
 * after another (Chan, Golub and LeVeque 1983). Both steps avoid the cancellation of a difference
 * between two large sums.
 */
#ifndef DNN_MOMENTS_H
#define DNN_MOMENTS_H

#include <float.h>
#include <math.h>

#include "real.h"

/* Columns of a chunk that are processed together, so that the second pass finds them in the
 * cache. */
enum { MOMENTS_COLS = 256 };

/* Processes at most MOMENTS_COLS columns of at most DNN_MOMENTS_ROWS rows, `stride` elements
 * apart. `missing` is a constant. */
INLINE void add_chunk(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t stride, const real *x,
                      const double *weight, int missing, double *count, double *mean,
                      double *variance)
{
    assert(rows <= DNN_MOMENTS_ROWS && cols <= MOMENTS_COLS);
    double n[MOMENTS_COLS] = {0}, sum[MOMENTS_COLS] = {0};
    double centre[MOMENTS_COLS], squares[MOMENTS_COLS] = {0}, total = 0.0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *row = x + r * stride;
        const double w = weight ? weight[r] : 1.0;
        total += w;
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) {
            const int present = !missing || row[c] == row[c];
            if (missing) n[c] += present ? w : 0.0;
            sum[c] += present ? w * (double)row[c] : 0.0;
        }
    }
    for (ptrdiff_t c = 0; c < cols; c++) {
        if (!missing) n[c] = total;
        centre[c] = n[c] > 0.0 ? sum[c] / n[c] : 0.0;
        sum[c] = 0.0;
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *row = x + r * stride;
        const double w = weight ? weight[r] : 1.0;
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) {
            const int present = !missing || row[c] == row[c];
            const double d = present ? (double)row[c] - centre[c] : 0.0, wd = w * d;
            sum[c] += wd;
            squares[c] += wd * d;
        }
    }
    for (ptrdiff_t c = 0; c < cols; c++) {
        if (!(n[c] > 0.0)) continue;
        const double part = n[c] / (count[c] + n[c]), correction = sum[c] / n[c];
        const double shift = centre[c] - mean[c] + correction;
        const double spread = squares[c] / n[c] - correction * correction;
        variance[c] += part * ((spread > 0.0 ? spread : 0.0) - variance[c]
                               + (1.0 - part) * shift * shift);
        /* After an overflow, the differences of infinities above are not numbers. */
        if (!(squares[c] <= DBL_MAX && variance[c] <= DBL_MAX)) variance[c] = HUGE_VAL;
        mean[c] += part * shift;
        count[c] += n[c];
    }
}

static void add_moments(ptrdiff_t rows, ptrdiff_t cols, const void *x_, const double *weight,
                        int missing, double *count, double *mean, double *variance)
{
    const real *x = x_;
    for (ptrdiff_t r = 0; r < rows; r += DNN_MOMENTS_ROWS) {
        const ptrdiff_t n = rows - r < DNN_MOMENTS_ROWS ? rows - r : DNN_MOMENTS_ROWS;
        const double *w = weight ? weight + r : NULL;
        for (ptrdiff_t c = 0; c < cols; c += MOMENTS_COLS) {
            const ptrdiff_t m = cols - c < MOMENTS_COLS ? cols - c : MOMENTS_COLS;
            const real *part = x + r * cols + c;
            if (missing) add_chunk(n, m, cols, part, w, 1, count + c, mean + c, variance + c);
            else add_chunk(n, m, cols, part, w, 0, count + c, mean + c, variance + c);
        }
    }
}

/* Processes at most MOMENTS_COLS columns, `stride` elements apart. */
INLINE void add_range(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t stride, const real *x,
                      const double *weight, double *low, double *high)
{
    assert(cols <= MOMENTS_COLS);
    real least[MOMENTS_COLS], most[MOMENTS_COLS];
    for (ptrdiff_t c = 0; c < cols; c++) least[c] = (real)HUGE_VAL, most[c] = -(real)HUGE_VAL;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *row = x + r * stride;
        if (weight && !(weight[r] > 0.0)) continue;
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) { /* NaN is neither smaller nor larger */
            least[c] = row[c] < least[c] ? row[c] : least[c];
            most[c] = row[c] > most[c] ? row[c] : most[c];
        }
    }
    for (ptrdiff_t c = 0; c < cols; c++) {
        if (least[c] < low[c]) low[c] = least[c];
        if (most[c] > high[c]) high[c] = most[c];
    }
}

static void add_ranges(ptrdiff_t rows, ptrdiff_t cols, const void *x, const double *weight,
                       double *low, double *high)
{
    for (ptrdiff_t c = 0; c < cols; c += MOMENTS_COLS) {
        const ptrdiff_t m = cols - c < MOMENTS_COLS ? cols - c : MOMENTS_COLS;
        add_range(rows, m, cols, (const real *)x + c, weight, low + c, high + c);
    }
}

#endif
