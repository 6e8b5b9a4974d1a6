/* Sorting of the elements of rows. */
#ifndef DNN_SORT_H
#define DNN_SORT_H

#include "real.h"

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
