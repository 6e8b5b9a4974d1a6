/* Operations on rows of features. */
#ifndef ROWS_H
#define ROWS_H

#include "context.h"

enum { GATHER, NORM, NORM_BACKWARD };

/* By an index, and in order. */
static void rows_of_input(context *t, int which)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        ptrdiff_t fetchable = rows + rows / 2, *index = integers(t, fetchable, rows);
        void *x = numbers(t, rows * cols, -9, 9), *mean = numbers(t, cols, -1, 1);
        void *scale = numbers(t, cols, 0.5, 2), *out = array(t, rows * cols);
        void *gathered = array(t, rows * cols);
        t->ops->gather_rows(rows, cols, x, index, fetchable, gathered);
        if (which == GATHER) {
            for (ptrdiff_t r = 0; r < rows; r++)
                require_same(t, cols, at(t, gathered, r * cols), at(t, x, index[r] * cols),
                             "not the row of the index");
            t->ops->gather_rows(rows, cols, x, NULL, 0, out);
            require_same(t, rows * cols, out, x, "not the rows in order");
        } else if (which == NORM) {
            t->ops->norm(rows, cols, x, index, fetchable, mean, scale, out);
            t->ops->norm(rows, cols, gathered, NULL, 0, mean, scale, gathered);
            require_same(t, rows * cols, out, gathered, "not the norm of what is gathered");
        } else {
            t->ops->norm_backward(rows, cols, x, scale, out);
        }
        digest(t, rows * cols, out);
    }
}

/* Whole chunks first, then the rest, must not change a bit. */
static void moments(context *t, int missing)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        const size_t size = sizeof(double), bytes = (size_t)cols * size;
        void *x = numbers(t, rows * cols, -9, 9);
        double *weight = allocate(t, rows, size), *once[3], *twice[3];
        for (ptrdiff_t r = 0; r < rows; r++) weight[r] = (double)(random_bits(t) % 4) / 2;
        if (missing)
            for (ptrdiff_t i = 0; i < rows * cols; i += 1 + (ptrdiff_t)(random_bits(t) % 5))
                put(t, x, i, NAN);
        for (int i = 0; i < 3; i++) {
            once[i] = memset(allocate(t, cols, size), 0, bytes);
            twice[i] = memset(allocate(t, cols, size), 0, bytes);
        }
        const ptrdiff_t cut = rows / DNN_MOMENTS_ROWS * DNN_MOMENTS_ROWS;
        t->ops->add_moments(rows, cols, x, s % 2 ? weight : NULL, missing, once[0], once[1],
                            once[2]);
        t->ops->add_moments(cut, cols, x, s % 2 ? weight : NULL, missing, twice[0], twice[1],
                            twice[2]);
        t->ops->add_moments(rows - cut, cols, at(t, x, cut * cols), s % 2 ? weight + cut : NULL,
                            missing, twice[0], twice[1], twice[2]);
        for (int i = 0; i < 3; i++) {
            require(t, !memcmp(once[i], twice[i], bytes), "not the same in two parts");
            digest_elements(t, cols, once[i], size);
        }
    }
}

static void ranges(context *t, int unused)
{
    (void)unused;
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *x = numbers(t, rows * cols, -9, 9);
        double *weight = allocate(t, rows, sizeof(double));
        double *low = allocate(t, cols, sizeof(double)), *high = allocate(t, cols, sizeof(double));
        for (ptrdiff_t r = 0; r < rows; r++) weight[r] = (double)(random_bits(t) % 4) / 2;
        for (ptrdiff_t c = 0; c < cols; c++) low[c] = INFINITY, high[c] = -INFINITY;
        for (ptrdiff_t i = 0; i < rows * cols; i += 1 + (ptrdiff_t)(random_bits(t) % 5))
            put(t, x, i, NAN);
        t->ops->add_ranges(rows, cols, x, s % 2 ? weight : NULL, low, high);
        digest_elements(t, cols, low, sizeof(double));
        digest_elements(t, cols, high, sizeof(double));
    }
}

#endif
