/* Matrix products in tiles.
 *
 * C = A B is computed in tiles of at most TILE_ROWS rows and two vectors of columns. The sums of a
 * tile stay in registers over the whole inner dimension ("depth"). The columns of B that a tile
 * needs are first packed into a panel, which is then read sequentially.
 *
 * The factors of row i of a tile are the elements of A at i * a_ld + p, p = 0 .. depth - 1 (by
 * rows) or, if A is transposed, at i + p * a_ld (by columns).
 */
#ifndef DNN_PANELS_H
#define DNN_PANELS_H

#include "transpose.h"

enum {
    VEC_LANES = VEC_BYTES / sizeof(real),
    TILE_COLS = 2 * VEC_LANES,
    ROWS_AHEAD = 32, /* of B, to be fetched: the time of a memory access */
};

/* Computes out = start + A panel for one tile. The leading dimensions of the panel and of out are
 * p_step and ld. Every sum begins with the element of the row `start` in its column. */
typedef void (*multiply_function)(ptrdiff_t depth, const real *a, ptrdiff_t a_ld,
                                  const real *panel, ptrdiff_t p_step,
                                  const real *start, real *out, ptrdiff_t ld);

#define TILE(x) x
#define TILE_VEC_BYTES VEC_BYTES
#define TILE_FMA VEC_FMA
#include "tile.h"
#undef TILE
#undef TILE_VEC_BYTES
#undef TILE_FMA

#ifdef HALF_BYTES
#define TILE(x) half_##x
#define TILE_VEC_BYTES HALF_BYTES
#define TILE_FMA HALF_FMA
#include "tile.h"
#undef TILE
#undef TILE_VEC_BYTES
#undef TILE_FMA
#endif

/* Indexed by the number of rows of a tile, less 1, and the kind of its panel. */
#ifdef HALF_BYTES
#define KINDS 3
#define OF_KIND(name, rows) {half_##name##_1_##rows, name##_1_##rows, name##_2_##rows},
#else
#define KINDS 2
#define OF_KIND(name, rows) {name##_1_##rows, name##_2_##rows},
#endif
#define BY_ROWS(rows) OF_KIND(by_rows, rows)
#define BY_COLUMNS(rows) OF_KIND(by_columns, rows)
static const multiply_function multiply_by_rows[TILE_ROWS][KINDS] = {FOR_TILE_ROWS(BY_ROWS)};
static const multiply_function multiply_by_columns[TILE_ROWS][KINDS] = {FOR_TILE_ROWS(BY_COLUMNS)};

/* Rows are divided evenly among tiles, because the speed of a last tile of one or two rows would be
 * limited by the latency of the multiply-add. */
INLINE ptrdiff_t tiles_of(ptrdiff_t n)
{
    return (n + TILE_ROWS - 1) / TILE_ROWS;
}

typedef struct {
    ptrdiff_t first, count;
} tile_rows;

/* The rows of tile t of `tiles`, for n rows in total. */
INLINE tile_rows rows_of_tile(ptrdiff_t t, ptrdiff_t tiles, ptrdiff_t n)
{
    const ptrdiff_t first = t * n / tiles;
    return (tile_rows){first, (t + 1) * n / tiles - first};
}

/* The width of a kind of panel: two vectors (the last kind), one, or half a vector if there are
 * such tiles. */
INLINE ptrdiff_t width_of(int kind)
{
    return TILE_COLS >> (KINDS - 1 - kind);
}

/* The narrowest kind that holds the `cols` remaining columns, or the widest kind. */
INLINE int kind_for(ptrdiff_t cols)
{
    int kind = 0;
    while (kind < KINDS - 1 && width_of(kind) < cols) kind++;
    return kind;
}

/* The position of a panel: `cols` columns from `start`. They fill the width of the panel if the
 * matrix is wide enough: the last panel then overlaps the previous one. */
typedef struct {
    ptrdiff_t start, cols, width;
    int kind;
} panel_place;

INLINE panel_place panel_at(ptrdiff_t j, ptrdiff_t m)
{
    panel_place p;
    p.kind = kind_for(m - j);
    p.width = width_of(p.kind);
    p.start = m - j >= p.width || m < p.width ? j : m - p.width;
    p.cols = m - p.start < p.width ? m - p.start : p.width;
    return p;
}

/* `width` is a constant after inlining. */
INLINE void copy_rows(ptrdiff_t width, ptrdiff_t rows, const real *from, ptrdiff_t ld, real *to)
{
    for (ptrdiff_t p = 0; p < rows; p++, from += ld, to += width)
        memcpy(to, from, (size_t)width * sizeof(real));
}

/* panel[p, c] = B[p, c] for c < cols; the remaining columns are arbitrary. `ld` is the leading
 * dimension of B. */
static void pack(ptrdiff_t depth, ptrdiff_t cols, ptrdiff_t width, const real *B, ptrdiff_t ld,
                 real *panel)
{
    assert(0 < cols && cols <= width && cols <= ld);
    /* The lanes past `cols` are unused: they are copied from B as long as it has elements. */
    const ptrdiff_t size = (depth - 1) * ld + cols;
    const ptrdiff_t whole = size < width ? 0 : (size - width) / ld + 1;
    if (width == TILE_COLS) copy_rows(TILE_COLS, whole, B, ld, panel);
    else if (width == VEC_LANES) copy_rows(VEC_LANES, whole, B, ld, panel);
    else copy_rows(VEC_LANES / 2, whole, B, ld, panel);
    for (ptrdiff_t p = whole; p < depth; p++)
        for (ptrdiff_t c = 0; c < width; c++) panel[p * width + c] = c < cols ? B[p * ld + c] : 0;
}

/* panel[p, c] = B[c, p] for c < cols; the remaining columns are zero. */
static void pack_transposed(ptrdiff_t depth, ptrdiff_t cols, ptrdiff_t width, const real *B,
                            ptrdiff_t ld, real *panel)
{
    transpose(cols, depth, B, ld, panel, width);
    for (ptrdiff_t p = 0; p < depth; p++)
        for (ptrdiff_t c = cols; c < width; c++) panel[p * width + c] = 0;
}

/* to[p, i] = A[p, i] for i < rows: the factors of a tile of A^T in the order of use. */
INLINE void copy_factors(int rows, ptrdiff_t depth, const real *A, ptrdiff_t ld, real *to)
{
    for (ptrdiff_t p = 0; p < depth; p++, A += ld, to += rows)
        memcpy(to, A, (size_t)rows * sizeof(real));
}

static void pack_factors(int rows, ptrdiff_t depth, const real *A, ptrdiff_t ld, real *to)
{
    assert(0 < rows && rows <= TILE_ROWS);
    switch (rows) {
#define COPY_FACTORS(rows) \
    case rows: copy_factors(rows, depth, A, ld, to); break;
        FOR_TILE_ROWS(COPY_FACTORS)
    }
}

#endif
