/* The three matrix products of a layer. */
#ifndef DNN_PRODUCTS_H
#define DNN_PRODUCTS_H

#include "activations.h"
#include "panels.h"
#include "update.h"

enum {
    /* Packing is not worthwhile for this number of tiles or fewer: they read B in place. */
    FEW_TILES = 4,
    /* Matrices of more bytes are not in the L1 cache when they are used again. */
    NEAR_BYTES = 32768,
};

INLINE int is_far(ptrdiff_t rows, ptrdiff_t cols)
{
    return rows * cols * (ptrdiff_t)sizeof(real) > NEAR_BYTES;
}

/* The columns of a panel of B, which a product reads at `b` with the leading dimension `step`. The
 * first `tiles` tiles of the product are done already. */
typedef struct {
    const real *b;
    ptrdiff_t step, tiles;
} columns_of_B;

/* Prepares the columns `of` of B for `product`. */
INLINE columns_of_B prepare_columns(int transposed, panel_place of, ptrdiff_t n, ptrdiff_t depth,
                                    ptrdiff_t m, const real *a, const real *B, const real *start,
                                    real *panel, real *out)
{
    const ptrdiff_t tiles = tiles_of(n);
    if (transposed) {
        pack_transposed(depth, of.cols, of.width, B + of.start * depth, depth, panel);
        return (columns_of_B){panel, of.width, 0};
    }
    if (of.cols == of.width && tiles <= FEW_TILES) return (columns_of_B){B + of.start, m, 0};
    if (of.cols == TILE_COLS && rows_of_tile(0, tiles, n).count == TILE_ROWS) {
        multiply_far(depth, a, depth, B + of.start, m, start, out + of.start, m, panel);
        return (columns_of_B){panel, of.width, 1};
    }
    pack(depth, of.cols, of.width, B + of.start, m, panel);
    return (columns_of_B){panel, of.width, 0};
}

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
        if (start)
            for (ptrdiff_t c = 0; c < of.cols; c++) first_sums[c] = start[of.start + c];
        const columns_of_B B_of =
            prepare_columns(transposed, of, n, depth, m, a, B, first_sums, panel, out);
        for (ptrdiff_t t = B_of.tiles; t < tiles; t++) {
            const tile_rows rows = rows_of_tile(t, tiles, n);
            const real *factors = a + rows.first * depth;
            multiply_function multiply = multiply_by_rows[rows.count - 1][of.kind];
            real *corner = out + rows.first * m + of.start;
            /* If the matrix is narrower than a panel, a row is written past its end. This is
             * allowed if there are enough following rows, which overwrite these elements. */
            if (of.cols == of.width || (n - rows.first - rows.count + 1) * m >= of.width) {
                multiply(depth, factors, depth, B_of.b, B_of.step, first_sums, corner, m);
                continue;
            }
            multiply(depth, factors, depth, B_of.b, B_of.step, first_sums, tile, of.width);
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

/* The weights of a tile and their states, which are updated after the products. They are fetched
 * meanwhile, to be written: other threads have read the weights, and waiting for each line to become
 * exclusive takes longer than the products of a small layer. */
typedef struct {
    const real *array[3];
    int arrays;
    ptrdiff_t ld;
} tile_weights;

INLINE void prefetch_columns(const tile_weights *of, ptrdiff_t rows, ptrdiff_t start)
{
    for (int array = 0; array < of->arrays; array++)
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t c = 0; c < TILE_COLS; c += LANES)
                __builtin_prefetch(of->array[array] + i * of->ld + start + c, 1);
}

/* Columns of dz (n rows, leading dimension ld) for gradient_tile: in panels, or in place where they
 * fill a panel. */
typedef struct {
    const real *dz, *panels;
    ptrdiff_t n, cols, ld;
    int in_place;
} delta_columns;

/* Packs the columns to `panel`; returns its end. */
INLINE const real *pack_delta(const delta_columns *of, real *panel)
{
    for (ptrdiff_t j = 0; j < of->cols; j += TILE_COLS) {
        const panel_place at = panel_at(j, of->cols);
        if (!of->in_place || at.cols < at.width)
            pack(of->n, at.cols, at.width, of->dz + at.start, of->ld, panel);
        panel += of->n * at.width;
    }
    return panel;
}

/* g (rows, cols) = a^T dz for `rows` columns of a, which has the leading dimension a_ld. */
INLINE void gradient_tile(ptrdiff_t rows, const real *a, ptrdiff_t a_ld, const delta_columns *of,
                          const tile_weights *weights, real *g)
{
    static const real zeros[TILE_COLS];
    const real *panel = of->panels;
    for (ptrdiff_t j = 0; j < of->cols; j += TILE_COLS) {
        const panel_place at = panel_at(j, of->cols);
        const int in_place = of->in_place && at.cols == at.width;
        prefetch_columns(weights, rows, j);
        multiply_by_columns[rows - 1][at.kind](of->n, a, a_ld, in_place ? of->dz + at.start : panel,
                                               in_place ? of->ld : at.width, zeros, g + at.start,
                                               of->cols);
        panel += of->n * at.width;
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
    real *packed = g + TILE_ROWS * (block + TILE_COLS);
    const int pack_a = is_far(n, k) && m > TILE_COLS; /* else few tiles, or near, use a column */
    const int arrays = s2 == W ? 2 : 3;               /* to be fetched */
    const dnn_step constants = *step; /* a local copy, which cannot alias W */
    if (n == 1) {
        update_one(&constants, k, m, first, last, a_, dz, scratch, s1, s2, W);
        return;
    }
    assert(packed + slice * n <= panels + layer_scratch(n, k, m));
    for (ptrdiff_t t = 0; pack_a && t < tiles; t++) {
        const tile_rows rows = rows_of_tile(t, tiles, slice);
        pack_factors((int)rows.count, n, a + rows.first, k, packed + rows.first * n);
    }
    for (ptrdiff_t start = 0; start < m; start += block) {
        const ptrdiff_t cols = m - start < block ? m - start : block;
        const delta_columns of = {dz + start, panels, n, cols, m, !is_far(n, m)};
        const real *end = pack_delta(&of, panels);
        assert(end <= g);
        (void)end;
        for (ptrdiff_t t = 0; t < tiles; t++) {
            const tile_rows rows = rows_of_tile(t, tiles, slice);
            const ptrdiff_t corner = (first + rows.first) * m + start;
            const tile_weights weights = {{W + corner, s1 + corner, s2 + corner}, arrays, m};
            if (pack_a)
                gradient_tile(rows.count, packed + rows.first * n, rows.count, &of, &weights, g);
            else
                gradient_tile(rows.count, a + rows.first, k, &of, &weights, g);
            if (cols == m)
                update(&constants, rows.count * m, g, s1 + corner, s2 + corner, W + corner);
            else
                for (ptrdiff_t i = 0, at = corner; i < rows.count; i++, at += m)
                    update(&constants, cols, g + i * cols, s1 + at, s2 + at, W + at);
        }
    }
}

#endif
