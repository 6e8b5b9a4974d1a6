/* The products of the first layer with CSR rows: only the stored elements are multiplied. */
#ifndef DNN_SPARSE_PRODUCTS_H
#define DNN_SPARSE_PRODUCTS_H

#include "activations.h"
#include "update.h"

/* Terms that are added together, so that the sums are read and written less often. */
enum { SPARSE_TERMS = 8 };

INLINE ptrdiff_t integer_at(const void *array, int wide, ptrdiff_t i)
{
    return (ptrdiff_t)(wide ? ((const int64_t *)array)[i] : ((const int32_t *)array)[i]);
}

/* The positions of the stored elements of a row. */
typedef struct {
    ptrdiff_t first, end;
} stored_elements;

INLINE stored_elements stored_in(const dnn_csr_rows *a, ptrdiff_t r)
{
    const ptrdiff_t row = a->index ? a->index[r] : a->first + r;
    return (stored_elements){integer_at(a->indptr, a->wide, row),
                             integer_at(a->indptr, a->wide, row + 1)};
}

INLINE ptrdiff_t column_at(const dnn_csr_rows *a, ptrdiff_t position)
{
    return integer_at(a->indices, a->wide, position);
}

/* out (m,) += the terms of `count` stored elements from `position` on, one after another. `count` is
 * a constant. */
INLINE void add_terms(int count, const dnn_csr_rows *a, ptrdiff_t position, ptrdiff_t m,
                      const real *W, real *restrict out)
{
    const real *row[SPARSE_TERMS];
    real factor[SPARSE_TERMS];
    UNROLL
    for (int i = 0; i < count; i++) {
        row[i] = W + column_at(a, position + i) * m;
        factor[i] = ((const real *)a->values)[position + i];
    }
    for (ptrdiff_t c = 0; c < m; c++) {
        real sum = out[c];
        UNROLL
        for (int i = 0; i < count; i++) sum = FMA(factor[i], row[i][c], sum);
        out[c] = sum;
    }
}

static void sparse_forward(const dnn_csr_rows *a, ptrdiff_t n, ptrdiff_t m, const void *W,
                           const void *b, dnn_activation activation, void *out_, void *slope)
{
    real *out = out_;
    for (ptrdiff_t r = 0; r < n; r++, out += m) {
        stored_elements of = stored_in(a, r);
        memcpy(out, b, (size_t)m * sizeof(real));
        for (; of.first + SPARSE_TERMS <= of.end; of.first += SPARSE_TERMS)
            add_terms(SPARSE_TERMS, a, of.first, m, W, out);
        for (; of.first < of.end; of.first++) add_terms(1, a, of.first, m, W, out);
    }
    activate(activation, n * m, out_, out_, slope);
}

/* The next stored element of each row: its position, and its column, or PTRDIFF_MAX after the last
 * one. The columns are apart from the positions, because most of them are only compared. */
typedef struct {
    ptrdiff_t *position, *column;
} sparse_cursors;

INLINE void move_to(const sparse_cursors *next, const dnn_csr_rows *a, ptrdiff_t r,
                    ptrdiff_t position, ptrdiff_t end)
{
    next->position[r] = position;
    next->column[r] = position < end ? column_at(a, position) : PTRDIFF_MAX;
}

/* Moves to the first stored element of row r that is not before column `first`. */
INLINE void find_column(const sparse_cursors *next, const dnn_csr_rows *a, ptrdiff_t r,
                        ptrdiff_t first)
{
    const stored_elements of = stored_in(a, r);
    ptrdiff_t low = of.first, high = of.end;
    while (low < high) {
        const ptrdiff_t middle = low + (high - low) / 2;
        if (column_at(a, middle) < first) low = middle + 1;
        else high = middle;
    }
    move_to(next, a, r, low, of.end);
}

/* g += the terms of row r that belong to the rows [first, last) of W. */
INLINE void add_gradient(const sparse_cursors *next, const dnn_csr_rows *a, ptrdiff_t r,
                         ptrdiff_t first, ptrdiff_t last, ptrdiff_t m, const real *dz,
                         real *restrict g)
{
    while (next->column[r] < last) {
        const real factor = ((const real *)a->values)[next->position[r]];
        real *restrict sum = g + (next->column[r] - first) * m;
        for (ptrdiff_t c = 0; c < m; c++) sum[c] = FMA(factor, dz[c], sum[c]);
        move_to(next, a, r, next->position[r] + 1, stored_in(a, r).end);
    }
}

static void sparse_update(const dnn_step *step, const dnn_csr_rows *a, ptrdiff_t n, ptrdiff_t m,
                          ptrdiff_t first, ptrdiff_t last, const void *dz_, ptrdiff_t *cursors,
                          void *scratch, void *state1, void *state2, void *W_)
{
    assert(0 <= first && first <= last);
    const real *dz = dz_;
    real *W = W_, *s1 = state1, *s2 = state2, *g = scratch;
    const sparse_cursors next = {cursors, cursors + n};
    const dnn_step constants = *step; /* a local copy, which cannot alias W */
    for (ptrdiff_t r = 0; r < n; r++) find_column(&next, a, r, first);
    while (first < last) {
        const ptrdiff_t left = last - first, corner = first * m;
        const ptrdiff_t rows = left < DNN_SPARSE_ROWS ? left : DNN_SPARSE_ROWS;
        memset(g, 0, (size_t)(rows * m) * sizeof(real));
        for (ptrdiff_t r = 0; r < n; r++)
            add_gradient(&next, a, r, first, first + rows, m, dz + r * m, g);
        update(&constants, rows * m, g, s1 + corner, s2 + corner, W + corner);
        first += rows;
    }
}

#endif
