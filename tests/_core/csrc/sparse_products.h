/* The products with CSR rows. */
#ifndef SPARSE_PRODUCTS_H
#define SPARSE_PRODUCTS_H

#include "layers.h"

/* CSR rows and the same rows made dense. */
typedef struct {
    dnn_csr_rows csr;
    void *dense; /* (n, k) */
} sparse_rows;

static void *as_int32(context *t, ptrdiff_t n, const int64_t *x)
{
    int32_t *narrow = allocate(t, n, sizeof *narrow);
    for (ptrdiff_t i = 0; i < n; i++) narrow[i] = (int32_t)x[i];
    return narrow;
}

/* Rows of which none, a quarter, a half or all elements are stored, in order or by index, with
 * 32-bit or 64-bit integers. Some stored elements are 0. */
static sparse_rows sparse_numbers(context *t, int s, ptrdiff_t n, ptrdiff_t k)
{
    static const unsigned of_four[] = {1, 0, 2, 4};
    const ptrdiff_t n_stored = n + 3; /* rows of the matrix */
    void *values = numbers(t, n_stored * k, -1, 1), *dense = array(t, n_stored * k);
    int64_t *indices = allocate(t, n_stored * k, sizeof *indices);
    int64_t *indptr = allocate(t, n_stored + 1, sizeof *indptr);
    ptrdiff_t stored = 0;
    indptr[0] = 0;
    for (ptrdiff_t r = 0; r < n_stored; r++) {
        for (ptrdiff_t c = 0; c < k; c++) {
            put(t, dense, r * k + c, 0);
            if (random_bits(t) % 4 >= of_four[s % COUNT(of_four)]) continue;
            if (random_bits(t) % 16 == 0) put(t, values, stored, 0);
            put(t, dense, r * k + c, get(t, values, stored));
            indices[stored++] = c;
        }
        indptr[r + 1] = stored;
    }
    sparse_rows rows = {{values, indices, indptr, 1, NULL, 0}, array(t, n * k)};
    if (s % 3) {
        rows.csr.wide = 0;
        rows.csr.indices = as_int32(t, stored, indices);
        rows.csr.indptr = as_int32(t, n_stored + 1, indptr);
    }
    if (s % 2) rows.csr.index = integers(t, n, n_stored);
    else rows.csr.first = s % 4;
    for (ptrdiff_t r = 0; r < n; r++) {
        const ptrdiff_t row = rows.csr.index ? rows.csr.index[r] : rows.csr.first + r;
        memcpy(at(t, rows.dense, r * k), at(t, dense, row * k), (size_t)k * t->size);
    }
    return rows;
}

static void sparse_forward(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        const sparse_rows a = sparse_numbers(t, s, n, k);
        const int activation = s % N_ACTIVATIONS;
        void *W = numbers(t, k * m, -1, 1), *b = numbers(t, m, -1, 1);
        void *out = array(t, n * m), *expected = array(t, n * m);
        void *slope = slope_for(t, activation, n * m);
        void *expected_slope = slope_for(t, activation, n * m);
        t->ops->sparse_forward(&a.csr, n, m, W, b, activation, out, slope);
        t->ops->layer_forward(n, k, m, a.dense, W, b, activation, scratch_for(t, n, k, m), expected,
                              expected_slope);
        require_same(t, n * m, out, expected, "not layer_forward");
        if (slope) require_same(t, n * m, slope, expected_slope, "not the slope of layer_forward");
        digest(t, n * m, out);
    }
}

/* In two ranges, which must not change a bit. */
static void sparse_update(context *t, int solver)
{
    dnn_step step = step_of(solver);
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        const sparse_rows a = sparse_numbers(t, s, n, k);
        ptrdiff_t size = k * m, cut = s % (k + 1);
        ptrdiff_t *cursors = allocate(t, 2 * n, sizeof *cursors);
        void *dz = numbers(t, n * m, -1, 1), *scratch = array(t, DNN_SPARSE_ROWS * m);
        void *W = numbers(t, size, -1, 1), *state1 = numbers(t, size, -1, 1);
        void *state2 = numbers(t, size, 0, 1);
        void *W_ = copy(t, size, W), *state1_ = copy(t, size, state1);
        void *state2_ = copy(t, size, state2);
        t->ops->sparse_update(&step, &a.csr, n, m, cut, k, dz, cursors, scratch, state1, state2, W);
        t->ops->sparse_update(&step, &a.csr, n, m, 0, cut, dz, cursors, scratch, state1, state2, W);
        t->ops->layer_update(&step, n, k, m, 0, k, a.dense, dz, scratch_for(t, n, k, m), state1_,
                             state2_, W_);
        require_same(t, size, W, W_, "not layer_update");
        require_same(t, size, state1, state1_, "not the first state of layer_update");
        require_same(t, size, state2, state2_, "not the second state of layer_update");
        digest(t, size, W);
    }
}

#endif
