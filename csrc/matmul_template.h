/* The three matrix products of a layer, for one type `real`. Included by ops_template.h.
 *
 * C = A B is computed in tiles of at most TILE_ROWS rows and two vectors of columns, whose
 * sums stay in registers over the whole inner dimension ("depth"); tile_template.h. Before that,
 * the columns of B that a tile needs are packed into a panel that is read in order.
 *
 * Row i of a tile takes its factors from A at i * a_row + p * a_step, p = 0 .. depth - 1:
 * in place (a_step 1), or packed (a_row 1) where A is transposed.
 */

enum {
    NAME(VEC_LANES) = VEC_BYTES / sizeof(real),
    NAME(TILE_COLS) = 2 * NAME(VEC_LANES),
};
#define VEC_LANES NAME(VEC_LANES)
#define TILE_COLS NAME(TILE_COLS)

/* out = start + A panel for a tile of so many rows; rows of the panel are p_step, rows of out ld
 * elements apart. Every sum begins with its column of the row `start`. */
typedef void (*NAME(multiply_function))(ptrdiff_t depth, const real *a, ptrdiff_t a_row,
                                        const real *panel, ptrdiff_t p_step,
                                        const real *start, real *out, ptrdiff_t ld);

#define TILE(x) NAME(x)
#define TILE_VEC_BYTES VEC_BYTES
#define TILE_FMA NAME(vec_fma)
#include "tile_template.h"
#undef TILE
#undef TILE_VEC_BYTES
#undef TILE_FMA

#ifdef HALF_BYTES
#define TILE(x) NAME(half_##x)
#define TILE_VEC_BYTES HALF_BYTES
#define TILE_FMA NAME(half_fma)
#include "tile_template.h"
#undef TILE
#undef TILE_VEC_BYTES
#undef TILE_FMA
#endif

/* By the rows of a tile and the kind of its panel. */
#ifdef HALF_BYTES
#define KINDS 3
#define OF_KIND(name, rows) \
    {NAME(half_##name##_1_##rows), NAME(name##_1_##rows), NAME(name##_2_##rows)},
#else
#define KINDS 2
#define OF_KIND(name, rows) {NAME(name##_1_##rows), NAME(name##_2_##rows)},
#endif
#define IN_PLACE(rows) OF_KIND(in_place, rows)
#define PACKED(rows) OF_KIND(packed, rows)
static const NAME(multiply_function) NAME(in_place)[TILE_ROWS][KINDS] = {FOR_TILE_ROWS(IN_PLACE)};
static const NAME(multiply_function) NAME(packed)[TILE_ROWS][KINDS] = {FOR_TILE_ROWS(PACKED)};

/* So few tiles are not worth a packed panel: they read B in place. */
enum { NAME(FEW_TILES) = 4 };
#define FEW_TILES NAME(FEW_TILES)

/* Rows are shared out evenly to tiles: a last tile of one or two rows would run at the
 * latency of the multiply-add. Tile t of `tiles` begins at t * n / tiles. */
INLINE ptrdiff_t NAME(tiles)(ptrdiff_t n)
{
    return (n + TILE_ROWS - 1) / TILE_ROWS;
}

/* How wide a panel can be: two vectors (the last kind), one, and half a vector where there are
 * such tiles. */
INLINE ptrdiff_t NAME(width_of)(int kind)
{
    return TILE_COLS >> (KINDS - 1 - kind);
}

/* The narrowest kind that holds the `cols` columns which are left, or the widest. */
INLINE int NAME(kind_for)(ptrdiff_t cols)
{
    int kind = 0;
    while (kind < KINDS - 1 && NAME(width_of)(kind) < cols) kind++;
    return kind;
}

/* A panel: `cols` columns from `start`, which fill its width if the matrix is wide enough. For
 * that the last panel begins early: its first columns belong to the panel before. */
typedef struct {
    ptrdiff_t start, cols, width;
    int kind;
} NAME(panel);

INLINE NAME(panel) NAME(panel_at)(ptrdiff_t j, ptrdiff_t m)
{
    NAME(panel) p;
    p.kind = NAME(kind_for)(m - j);
    p.width = NAME(width_of)(p.kind);
    p.start = m - j >= p.width || m < p.width ? j : m - p.width;
    p.cols = m - p.start < p.width ? m - p.start : p.width;
    return p;
}

/* `width` is a constant where this is inlined. */
INLINE void NAME(copy_rows)(ptrdiff_t width, ptrdiff_t rows, const real *from, ptrdiff_t ld,
                            real *to)
{
    for (ptrdiff_t p = 0; p < rows; p++, from += ld, to += width)
        memcpy(to, from, (size_t)width * sizeof(real));
}

/* panel[p, c] = B[p, c], c < cols; the rest of the width is any numbers. Rows of B are `ld`
 * apart. */
static void NAME(pack)(ptrdiff_t depth, ptrdiff_t cols, ptrdiff_t width, const real *B,
                       ptrdiff_t ld, real *panel)
{
    /* The lanes past `cols` are not used: let them have what follows, while that is B. */
    const ptrdiff_t size = (depth - 1) * ld + cols;
    const ptrdiff_t whole = size < width ? 0 : (size - width) / ld + 1;
    if (width == TILE_COLS) NAME(copy_rows)(TILE_COLS, whole, B, ld, panel);
    else if (width == VEC_LANES) NAME(copy_rows)(VEC_LANES, whole, B, ld, panel);
    else NAME(copy_rows)(VEC_LANES / 2, whole, B, ld, panel);
    for (ptrdiff_t p = whole; p < depth; p++)
        for (ptrdiff_t c = 0; c < width; c++) panel[p * width + c] = c < cols ? B[p * ld + c] : 0;
}

/* panel[p, c] = B[c, p], c < cols; the rest of the width is zero. */
static void NAME(pack_transposed)(ptrdiff_t depth, ptrdiff_t cols, ptrdiff_t width,
                                  const real *B, ptrdiff_t ld, real *panel)
{
    NAME(transpose)(cols, depth, B, ld, panel, width);
    for (ptrdiff_t p = 0; p < depth; p++)
        for (ptrdiff_t c = cols; c < width; c++) panel[p * width + c] = 0;
}

/* to[p, i] = A[p, i], i < rows: the factors of a tile of A^T in the order of their use. */
INLINE void NAME(copy_factors)(int rows, ptrdiff_t depth, const real *A, ptrdiff_t ld, real *to)
{
    for (ptrdiff_t p = 0; p < depth; p++, A += ld, to += rows)
        memcpy(to, A, (size_t)rows * sizeof(real));
}

static void NAME(pack_factors)(int rows, ptrdiff_t depth, const real *A, ptrdiff_t ld, real *to)
{
    switch (rows) {
#define COPY_FACTORS(rows) \
    case rows: NAME(copy_factors)(rows, depth, A, ld, to); break;
        FOR_TILE_ROWS(COPY_FACTORS)
    }
}

/* out (n, m) = start + a (n, depth) B, where B (depth, m), or B transposed (m, depth) if so said;
 * the row `start` (m,) is added to every row, NULL stands for zeros. */
INLINE void NAME(product)(int transposed, ptrdiff_t n, ptrdiff_t depth, ptrdiff_t m, const real *a,
                          const real *B, const real *start, real *panel, real *out)
{
    real tile[TILE_ROWS * TILE_COLS], first_sums[TILE_COLS] = {0};
    ptrdiff_t tiles = NAME(tiles)(n);
    for (ptrdiff_t j = 0; j < m; j += TILE_COLS) {
        const NAME(panel) of = NAME(panel_at)(j, m);
        const real *b = panel;
        ptrdiff_t b_step = of.width;
        if (start)
            for (ptrdiff_t c = 0; c < of.cols; c++) first_sums[c] = start[of.start + c];
        if (transposed)
            NAME(pack_transposed)(depth, of.cols, of.width, B + of.start * depth, depth, panel);
        else if (tiles <= FEW_TILES && of.cols == of.width)
            b = B + of.start, b_step = m;
        else
            NAME(pack)(depth, of.cols, of.width, B + of.start, m, panel);
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first = t * n / tiles, rows = (t + 1) * n / tiles - first;
            NAME(multiply_function) multiply = NAME(in_place)[rows - 1][of.kind];
            real *corner = out + first * m + of.start;
            /* Where the matrix is narrower than a vector, what a row writes too much is written
             * again by those that follow, if they are enough. */
            if (of.cols == of.width || (n - first - rows + 1) * m >= of.width) {
                multiply(depth, a + first * depth, depth, b, b_step, first_sums, corner, m);
                continue;
            }
            multiply(depth, a + first * depth, depth, b, b_step, first_sums, tile, of.width);
            for (ptrdiff_t i = 0; i < rows; i++)
                memcpy(corner + i * m, tile + i * of.width, (size_t)of.cols * sizeof(real));
        }
    }
}

/* Columns of dz whose panels are made together in layer_update. For usual batches they stay in
 * the L2 cache while every row of W meets them. */
INLINE ptrdiff_t NAME(block_cols)(ptrdiff_t m)
{
    const ptrdiff_t most = (ptrdiff_t)(1024 / sizeof(real));
    return m < most ? m : most;
}

static size_t NAME(layer_scratch)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m)
{
    ptrdiff_t depth = k > m ? k : m;
    size_t panel = (size_t)(depth * TILE_COLS);
    ptrdiff_t cols = NAME(block_cols)(m) + TILE_COLS;
    size_t update = (size_t)(cols * (n + TILE_ROWS) + n * k);
    return panel > update ? panel : update;
}

/* out (m,) = b + a (k,) W: every row of W is read once, in order, with the same chains. */
static void NAME(forward_one)(ptrdiff_t k, ptrdiff_t m, const real *a, const real *W,
                              const real *b, real *restrict out)
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

static void NAME(layer_forward)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a,
                                const void *W, const void *b, int activation, void *scratch,
                                void *out)
{
    if (n == 1) NAME(forward_one)(k, m, a, W, b, out);
    else NAME(product)(0, n, k, m, a, W, b, scratch, out);
    NAME(activate)(activation, n * m, out, out);
}

static void NAME(layer_delta)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *dz, const void *W,
                              const void *a, int activation, void *scratch, void *out)
{
    NAME(product)(1, n, m, k, dz, W, NULL, scratch, out);
    NAME(activate_backward)(activation, n * k, out, a, out);
}

static void NAME(layer_update)(const dnn_step *step, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m,
                               ptrdiff_t first_row, ptrdiff_t last_row, const void *a_,
                               const void *dz_, void *scratch, void *state1, void *state2, void *W_)
{
    const real *a = a_, *dz = dz_;
    real *W = W_, *s1 = state1, *s2 = state2;
    const ptrdiff_t block = NAME(block_cols)(m);
    real *panels = scratch, *g = panels + n * (block + TILE_COLS);
    real *factors = g + TILE_ROWS * (block + TILE_COLS);
    ptrdiff_t slice = last_row - first_row, tiles = NAME(tiles)(slice);
    const real zeros[TILE_COLS] = {0};
    const int far = k * m * (ptrdiff_t)sizeof(real) > FETCH_BYTES * 4;
    const dnn_step constants = *step; /* a copy that stores to W cannot change */
    for (ptrdiff_t t = 0; t < tiles; t++) {
        ptrdiff_t first = t * slice / tiles, rows = (t + 1) * slice / tiles - first;
        NAME(pack_factors)((int)rows, n, a + first_row + first, k, factors + first * n);
    }
    for (ptrdiff_t start = 0; start < m; start += block) {
        ptrdiff_t cols = m - start < block ? m - start : block;
        real *panel = panels;
        for (ptrdiff_t j = 0; j < cols; j += TILE_COLS) {
            const NAME(panel) of = NAME(panel_at)(j, cols);
            NAME(pack)(n, of.cols, of.width, dz + start + of.start, m, panel);
            panel += n * of.width;
        }
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first = t * slice / tiles, rows = (t + 1) * slice / tiles - first;
            ptrdiff_t corner = (first_row + first) * m + start;
            panel = panels;
            for (ptrdiff_t j = 0; j < cols; j += TILE_COLS) {
                const NAME(panel) of = NAME(panel_at)(j, cols);
                /* What is updated after the products is fetched meanwhile, if it is far away. */
                for (ptrdiff_t i = 0; far && i < rows; i++) {
                    __builtin_prefetch(W + corner + i * m + j, 1);
                    __builtin_prefetch(s1 + corner + i * m + j, 1);
                }
                NAME(packed)[rows - 1][of.kind](n, factors + first * n, 1, panel,
                                                       of.width, zeros, g + of.start, cols);
                panel += n * of.width;
            }
            if (cols == m)
                NAME(update_row)(&constants, constants.decay, rows * m, g, s1 + corner, s2 + corner,
                                 W + corner);
            else
                for (ptrdiff_t i = 0, at = corner; i < rows; i++, at += m)
                    NAME(update_row)(&constants, constants.decay, cols, g + i * cols, s1 + at,
                                     s2 + at, W + at);
        }
    }
}
