/* The three matrix products of a layer. */
#ifndef DNN_PRODUCTS_H
#define DNN_PRODUCTS_H

#include "activations.h"
#include "panels.h"
#include "update.h"

enum {
    /* Packing is not worthwhile for this number of tiles or fewer: they read B in place. */
    FEW_TILES = 4,
    /* Weights of more bytes are not in the L1 cache when they are updated. */
    NEAR_BYTES = 32768,
};

/* out (n, m) = start + a (n, depth) B. B has shape (depth, m), or is stored as its transpose
 * (m, depth) if `transposed`. The row `start` (m,) is added to every row; NULL stands for zeros.
 * `panel` has depth * TILE_COLS elements. */
INLINE void product(int transposed, ptrdiff_t n, ptrdiff_t depth, ptrdiff_t m, const real *a,
                    const real *B, const real *start, real *panel, real *out)
{
    real tile[TILE_ROWS * TILE_COLS], first_sums[TILE_COLS] = {0};
    const ptrdiff_t tiles = tiles_of(n);
    for (ptrdiff_t j = 0; j < m; j += TILE_COLS) {
        const panel_place of = panel_at(j, m);
        const real *b = panel;
        ptrdiff_t b_step = of.width;
        if (start)
            for (ptrdiff_t c = 0; c < of.cols; c++) first_sums[c] = start[of.start + c];
        if (transposed)
            pack_transposed(depth, of.cols, of.width, B + of.start * depth, depth, panel);
        else if (tiles <= FEW_TILES && of.cols == of.width)
            b = B + of.start, b_step = m;
        else
            pack(depth, of.cols, of.width, B + of.start, m, panel);
        for (ptrdiff_t t = 0; t < tiles; t++) {
            const tile_rows rows = rows_of_tile(t, tiles, n);
            const real *factors = a + rows.first * depth;
            multiply_function multiply = multiply_in_place[rows.count - 1][of.kind];
            real *corner = out + rows.first * m + of.start;
            /* If the matrix is narrower than a panel, a row is written past its end. This is
             * allowed if there are enough following rows, which overwrite these elements. */
            if (of.cols == of.width || (n - rows.first - rows.count + 1) * m >= of.width) {
                multiply(depth, factors, depth, b, b_step, first_sums, corner, m);
                continue;
            }
            multiply(depth, factors, depth, b, b_step, first_sums, tile, of.width);
            for (ptrdiff_t i = 0; i < rows.count; i++)
                memcpy(corner + i * m, tile + i * of.width, (size_t)of.cols * sizeof(real));
        }
    }
}

/* Number of columns of dz that layer_update packs together. For usual batch sizes, their panels
 * stay in the L2 cache while they are multiplied by all rows. */
INLINE ptrdiff_t block_cols(ptrdiff_t m)
{
    const ptrdiff_t limit = (ptrdiff_t)(1024 / sizeof(real));
    return m < limit ? m : limit;
}

static size_t layer_scratch(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m)
{
    const ptrdiff_t depth = k > m ? k : m, cols = block_cols(m) + TILE_COLS;
    const size_t panel = (size_t)(depth * TILE_COLS);
    const size_t updating = (size_t)(cols * (n + TILE_ROWS) + n * k);
    return panel > updating ? panel : updating;
}

/* out (m,) = b + a (k,) W. Every row of W is read once, in order. The chains of multiply-adds are
 * the same as in `product`. */
static void forward_one(ptrdiff_t k, ptrdiff_t m, const real *a, const real *W, const real *b,
                        real *restrict out)
{
    ptrdiff_t p = 0;
    memcpy(out, b, (size_t)m * sizeof(real));
    for (; p + 8 <= k; p += 8, W += 8 * m)
        for (ptrdiff_t c = 0; c < m; c++) {
            real sum = out[c];
            UNROLL
            for (int i = 0; i < 8; i++) sum = FMA(a[p + i], W[i * m + c], sum);
            out[c] = sum;
        }
    for (; p < k; p++, W += m)
        for (ptrdiff_t c = 0; c < m; c++) out[c] = FMA(a[p], W[c], out[c]);
}

static void layer_forward(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a, const void *W,
                          const void *b, dnn_activation activation, void *scratch, void *out,
                          void *slope)
{
    if (n == 1) forward_one(k, m, a, W, b, out);
    else product(0, n, k, m, a, W, b, scratch, out);
    activate(activation, n * m, out, out, slope);
}

static void layer_delta(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *dz, const void *W,
                        const void *kept, dnn_activation activation, void *scratch, void *out)
{
    product(1, n, m, k, dz, W, NULL, scratch, out);
    activate_backward(activation, n * k, out, kept, out);
}

/* layer_update for a single row, without packing: some rows of the gradient at a time. */
static void update_one(const dnn_step *step, ptrdiff_t k, ptrdiff_t m, ptrdiff_t first,
                       ptrdiff_t last, const real *a, const real *dz, real *restrict g, real *s1,
                       real *s2, real *W)
{
    const ptrdiff_t most = (k > m ? k : m) * TILE_COLS / m; /* rows that fit into `g` */
    while (first < last) {
        const ptrdiff_t rows = last - first < most ? last - first : most, corner = first * m;
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t c = 0; c < m; c++) g[r * m + c] = FMA(a[first + r], dz[c], REAL(0.0));
        update(step, rows * m, g, s1 + corner, s2 + corner, W + corner);
        first += rows;
    }
}

static void layer_update(const dnn_step *step, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m,
                         ptrdiff_t first, ptrdiff_t last, const void *a_, const void *dz_,
                         void *scratch, void *state1, void *state2, void *W_)
{
    assert(0 <= first && first <= last && last <= k);
    const real *a = (const real *)a_ + first, *dz = dz_;
    real *W = W_, *s1 = state1, *s2 = state2;
    const ptrdiff_t block = block_cols(m), slice = last - first, tiles = tiles_of(slice);
    real *panels = scratch, *g = panels + n * (block + TILE_COLS);
    real *factors = g + TILE_ROWS * (block + TILE_COLS);
    const real zeros[TILE_COLS] = {0};
    const int far = k * m * (ptrdiff_t)sizeof(real) > NEAR_BYTES;
    const dnn_step constants = *step; /* a local copy, which cannot alias W */
    if (n == 1) {
        update_one(&constants, k, m, first, last, a_, dz, scratch, s1, s2, W);
        return;
    }
    assert(factors + slice * n <= panels + layer_scratch(n, k, m));
    for (ptrdiff_t t = 0; t < tiles; t++) {
        const tile_rows rows = rows_of_tile(t, tiles, slice);
        pack_factors((int)rows.count, n, a + rows.first, k, factors + rows.first * n);
    }
    for (ptrdiff_t start = 0; start < m; start += block) {
        const ptrdiff_t cols = m - start < block ? m - start : block;
        real *panel = panels;
        for (ptrdiff_t j = 0; j < cols; j += TILE_COLS) {
            const panel_place of = panel_at(j, cols);
            pack(n, of.cols, of.width, dz + start + of.start, m, panel);
            panel += n * of.width;
        }
        assert(panel <= g);
        for (ptrdiff_t t = 0; t < tiles; t++) {
            const tile_rows rows = rows_of_tile(t, tiles, slice);
            const ptrdiff_t corner = (first + rows.first) * m + start;
            panel = panels;
            for (ptrdiff_t j = 0; j < cols; j += TILE_COLS) {
                const panel_place of = panel_at(j, cols);
                /* Prefetch the weights to be updated after the products, if they are not near. */
                for (ptrdiff_t i = 0; far && i < rows.count; i++) {
                    __builtin_prefetch(W + corner + i * m + j, 1);
                    __builtin_prefetch(s1 + corner + i * m + j, 1);
                }
                multiply_packed[rows.count - 1][of.kind](n, factors + rows.first * n, 1, panel,
                                                         of.width, zeros, g + of.start, cols);
                panel += n * of.width;
            }
            if (cols == m)
                update(&constants, rows.count * m, g, s1 + corner, s2 + corner, W + corner);
            else
                for (ptrdiff_t i = 0, at = corner; i < rows.count; i++, at += m)
                    update(&constants, cols, g + i * cols, s1 + at, s2 + at, W + at);
        }
    }
}

#endif
