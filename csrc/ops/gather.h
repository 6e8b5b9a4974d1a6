/* Gathering of rows by index, with or without standardisation. */
#ifndef DNN_GATHER_H
#define DNN_GATHER_H

#include "real.h"

/* Bytes of the next rows to prefetch: rows in random order are not in the cache. */
enum { FETCH_BYTES = 8192 };

/* The input of gather_rows and norm: rows of x by `index`, or in order. */
typedef struct {
    const real *x;
    size_t row_bytes;
    ptrdiff_t cols;
    const ptrdiff_t *index;
    ptrdiff_t fetchable, ahead;
} row_source;

INLINE row_source rows_of(const void *x, ptrdiff_t rows, ptrdiff_t cols, const ptrdiff_t *index,
                          ptrdiff_t fetchable)
{
    assert(index ? fetchable >= rows : fetchable == 0);
    const size_t bytes = (size_t)cols * sizeof(real);
    const ptrdiff_t ahead = bytes < FETCH_BYTES / 2 ? (ptrdiff_t)(FETCH_BYTES / bytes) : 2;
    (void)rows;
    return (row_source){x, bytes, cols, index, fetchable, ahead};
}

/* Returns row r, and prefetches a row that is needed soon. */
INLINE const real *take_row(const row_source *from, ptrdiff_t r)
{
    assert(!from->index || from->index[r] >= 0);
    if (r + from->ahead < from->fetchable) {
        const char *next = (const char *)(from->x + from->index[r + from->ahead] * from->cols);
        for (size_t i = 0; i < from->row_bytes; i += 64) __builtin_prefetch(next + i);
    }
    return from->x + (from->index ? from->index[r] : r) * from->cols;
}

static void gather_rows(ptrdiff_t rows, ptrdiff_t cols, const void *x, const ptrdiff_t *index,
                        ptrdiff_t fetchable, void *out_)
{
    const row_source from = rows_of(x, rows, cols, index, fetchable);
    real *out = out_;
    for (ptrdiff_t r = 0; r < rows; r++, out += cols)
        memmove(out, take_row(&from, r), from.row_bytes);
}

static void norm(ptrdiff_t rows, ptrdiff_t cols, const void *x_, const ptrdiff_t *index,
                 ptrdiff_t fetchable, const void *mean_, const void *scale_, void *out_)
{
    assert(index || same_or_apart(rows * cols, x_, out_));
    const row_source from = rows_of(x_, rows, cols, index, fetchable);
    const real *mean = mean_, *scale = scale_;
    real *out = out_;
    for (ptrdiff_t r = 0; r < rows; r++, out += cols) {
        const real *x = take_row(&from, r);
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) out[c] = (x[c] - mean[c]) / scale[c];
    }
}

static void norm_backward(ptrdiff_t rows, ptrdiff_t cols, const void *da_, const void *scale_,
                          void *dx_)
{
    assert(same_or_apart(rows * cols, da_, dx_));
    const real *da = da_, *scale = scale_;
    real *dx = dx_;
    for (ptrdiff_t r = 0; r < rows; r++, da += cols, dx += cols) {
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) dx[c] = da[c] / scale[c];
    }
}

#endif
