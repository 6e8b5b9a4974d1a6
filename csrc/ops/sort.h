/* Sorting of the elements of rows. */
#ifndef DNN_SORT_H
#define DNN_SORT_H

#include "real.h"

/* The place of x[c] in the sorted row is the number of elements that come before it. */
static void sort_rows_backward(ptrdiff_t rows, ptrdiff_t cols, const void *dout_, const void *x_,
                               void *dx_)
{
    const real *dout = dout_, *x = x_;
    real *dx = dx_;
    for (ptrdiff_t r = 0; r < rows; r++, dout += cols, x += cols, dx += cols) {
        for (ptrdiff_t c = 0; c < cols; c++) {
            ptrdiff_t place = 0;
            for (ptrdiff_t i = 0; i < cols; i++) place += x[i] < x[c] || (x[i] == x[c] && i < c);
            dx[c] = dout[place];
        }
    }
}

/* By insertion: rows are short, and mostly in order already. NaN stays where it is. */
static void sort_rows(ptrdiff_t rows, ptrdiff_t cols, const void *x_, void *out_)
{
    assert(same_or_apart(rows * cols, x_, out_));
    const real *x = x_;
    real *out = out_;
    for (ptrdiff_t r = 0; r < rows; r++, x += cols, out += cols) {
        for (ptrdiff_t c = 0; c < cols; c++) {
            const real value = x[c];
            ptrdiff_t i = c;
            for (; i > 0 && out[i - 1] > value; i--) out[i] = out[i - 1];
            out[i] = value;
        }
    }
}

#endif
