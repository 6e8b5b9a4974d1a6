/* Mean and variance of columns, in double, over rows of `real`.
 *
 * A chunk of rows is looked at twice: for its mean, then for the deviations from it, whose own
 * mean corrects the rounding of the first. Chunks are merged one after another (Chan, Golub and
 * LeVeque 1983). Neither cancels as the difference of two large sums would.
 */
#ifndef DNN_MOMENTS_H
#define DNN_MOMENTS_H

#include "real.h"

/* Columns of a chunk that are taken together: the second look finds them in the cache. */
enum { MOMENTS_COLS = 256 };

/* At most MOMENTS_COLS columns of at most DNN_MOMENTS_ROWS rows, which are `stride` apart.
 * `missing` is a constant. */
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
            const int there = !missing || row[c] == row[c];
            if (missing) n[c] += there ? w : 0.0;
            sum[c] += there ? w * (double)row[c] : 0.0;
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
            const int there = !missing || row[c] == row[c];
            const double d = there ? (double)row[c] - centre[c] : 0.0, wd = w * d;
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

#endif
