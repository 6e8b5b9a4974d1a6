/* The three matrix products of a layer, for one type `real`. Included by ops_template.h.
 *
 * C = A B is computed in tiles of at most TILE_ROWS rows and two vectors of columns, whose
 * sums stay in registers over the whole inner dimension ("depth"). Before that, the columns
 * of B that a tile needs are packed into a panel that is read in order. A finished tile goes
 * to a small buffer, from which plain loops apply what follows (bias and sigmoid, the
 * derivative, the solver's update) while it is in the L1 cache.
 *
 * Row i of a tile takes its factors from A at i * a_row + p * a_step, p = 0 .. depth - 1:
 * in place (a_step 1), or packed (a_row 1) where A is transposed.
 */

#define vec NAME(vec)
#define unaligned_vec NAME(unaligned_vec)
typedef real vec __attribute__((vector_size(VEC_BYTES)));
typedef real unaligned_vec __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));

enum {
    NAME(VEC_LANES) = VEC_BYTES / sizeof(real),
    NAME(TILE_COLS) = 2 * NAME(VEC_LANES),
};
#define VEC_LANES NAME(VEC_LANES)
#define TILE_COLS NAME(TILE_COLS)

/* tile (rows, vectors * VEC_LANES) = A panel. `rows` and `vectors` are constants where this
 * is inlined, so that the sums are registers. */
INLINE void NAME(multiply)(int rows, int vectors, ptrdiff_t depth, const real *a, ptrdiff_t a_row,
                           ptrdiff_t a_step, const real *panel, real *tile)
{
    vec sum[TILE_ROWS][2];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) sum[i][v] = (vec){0};
    for (ptrdiff_t p = 0; p < depth; p++) {
        vec b[2];
        for (int v = 0; v < vectors; v++)
            b[v] = *(const unaligned_vec *)(panel + v * VEC_LANES);
        for (int i = 0; i < rows; i++) {
            vec factor = a[i * a_row] - (vec){0};
            for (int v = 0; v < vectors; v++) sum[i][v] = NAME(vec_fma)(factor, b[v], sum[i][v]);
        }
        a += a_step;
        panel += vectors * VEC_LANES;
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            *(unaligned_vec *)(tile + (i * vectors + v) * VEC_LANES) = sum[i][v];
}

typedef void (*NAME(multiply_function))(ptrdiff_t depth, const real *a, ptrdiff_t a_row,
                                        const real *panel, real *tile);

/* One function for each number of rows and vectors, with A in place or packed. */
#define DEFINE_MULTIPLY(rows)                                                                    \
    static void NAME(in_place_1_##rows)(ptrdiff_t depth, const real *a, ptrdiff_t a_row,         \
                                        const real *panel, real *tile)                           \
    { NAME(multiply)(rows, 1, depth, a, a_row, 1, panel, tile); }                                \
    static void NAME(in_place_2_##rows)(ptrdiff_t depth, const real *a, ptrdiff_t a_row,         \
                                        const real *panel, real *tile)                           \
    { NAME(multiply)(rows, 2, depth, a, a_row, 1, panel, tile); }                                \
    static void NAME(packed_1_##rows)(ptrdiff_t depth, const real *a, ptrdiff_t a_row,           \
                                      const real *panel, real *tile)                             \
    { (void)a_row; NAME(multiply)(rows, 1, depth, a, 1, rows, panel, tile); }                    \
    static void NAME(packed_2_##rows)(ptrdiff_t depth, const real *a, ptrdiff_t a_row,           \
                                      const real *panel, real *tile)                             \
    { (void)a_row; NAME(multiply)(rows, 2, depth, a, 1, rows, panel, tile); }
FOR_TILE_ROWS(DEFINE_MULTIPLY)

#define IN_PLACE(rows) {NAME(in_place_1_##rows), NAME(in_place_2_##rows)},
#define PACKED(rows) {NAME(packed_1_##rows), NAME(packed_2_##rows)},
static const NAME(multiply_function) NAME(in_place)[TILE_ROWS][2] = {FOR_TILE_ROWS(IN_PLACE)};
static const NAME(multiply_function) NAME(packed)[TILE_ROWS][2] = {FOR_TILE_ROWS(PACKED)};

/* Rows are shared out evenly to tiles: a last tile of one or two rows would run at the
 * latency of the multiply-add. Tile t of `tiles` begins at t * n / tiles. */
INLINE ptrdiff_t NAME(tiles)(ptrdiff_t n)
{
    return (n + TILE_ROWS - 1) / TILE_ROWS;
}

/* Vectors that hold `cols` <= TILE_COLS columns. */
INLINE int NAME(vectors)(ptrdiff_t cols)
{
    return cols > VEC_LANES ? 2 : 1;
}

/* panel[p, c] = B[p, c], c < cols; the rest of the vectors is zero. B has rows `ld` apart. */
static void NAME(pack)(ptrdiff_t depth, ptrdiff_t cols, const real *B, ptrdiff_t ld, real *panel)
{
    if (cols == TILE_COLS) {
        for (ptrdiff_t p = 0; p < depth; p++, B += ld, panel += TILE_COLS)
            for (int v = 0; v < 2; v++)
                *(unaligned_vec *)(panel + v * VEC_LANES) = *(const unaligned_vec *)(B + v * VEC_LANES);
        return;
    }
    ptrdiff_t width = NAME(vectors)(cols) * VEC_LANES;
    for (ptrdiff_t p = 0; p < depth; p++, B += ld, panel += width) {
        for (ptrdiff_t c = 0; c < cols; c++) panel[c] = B[c];
        for (ptrdiff_t c = cols; c < width; c++) panel[c] = 0;
    }
}

/* panel[p, c] = B[c, p], likewise. */
static void NAME(pack_transposed)(ptrdiff_t depth, ptrdiff_t cols, const real *B, ptrdiff_t ld,
                                  real *panel)
{
    ptrdiff_t width = NAME(vectors)(cols) * VEC_LANES, c = 0;
    for (; c + 4 <= cols; c += 4) {
        const real *b0 = B + c * ld, *b1 = b0 + ld, *b2 = b1 + ld, *b3 = b2 + ld;
        real *out = panel + c;
        for (ptrdiff_t p = 0; p < depth; p++, out += width) {
            out[0] = b0[p];
            out[1] = b1[p];
            out[2] = b2[p];
            out[3] = b3[p];
        }
    }
    for (; c < cols; c++)
        for (ptrdiff_t p = 0; p < depth; p++) panel[p * width + c] = B[c * ld + p];
    for (; c < width; c++)
        for (ptrdiff_t p = 0; p < depth; p++) panel[p * width + c] = 0;
}

static size_t NAME(layer_scratch)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m)
{
    ptrdiff_t depth = n > k ? n : k;
    if (m > depth) depth = m;
    /* A panel and, for the gradient, a transposed. */
    return (size_t)(depth * TILE_COLS + n * k);
}

static void NAME(layer_forward)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a_,
                                const void *W_, const void *b_, int hidden, void *scratch,
                                void *out_)
{
    const real *a = a_, *W = W_, *b = b_;
    real *out = out_, *panel = scratch, tile[TILE_ROWS * TILE_COLS];
    ptrdiff_t tiles = NAME(tiles)(n);
    for (ptrdiff_t j = 0; j < m; j += TILE_COLS) {
        ptrdiff_t cols = m - j < TILE_COLS ? m - j : TILE_COLS;
        int vectors = NAME(vectors)(cols);
        NAME(pack)(k, cols, W + j, m, panel);
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first = t * n / tiles, rows = (t + 1) * n / tiles - first;
            NAME(in_place)[rows - 1][vectors - 1](k, a + first * k, k, panel, tile);
            for (ptrdiff_t i = 0; i < rows; i++) {
                const real *row = tile + i * vectors * VEC_LANES;
                real *restrict z = out + (first + i) * m + j;
                if (!hidden)
                    for (ptrdiff_t c = 0; c < cols; c++) z[c] = row[c] + b[j + c];
                else if (cols == TILE_COLS)
                    for (ptrdiff_t c = 0; c < TILE_COLS; c++)
                        z[c] = NAME(sigmoid_one)(row[c] + b[j + c]);
                else
                    for (ptrdiff_t c = 0; c < cols; c++)
                        z[c] = NAME(sigmoid_one)(row[c] + b[j + c]);
            }
        }
    }
}

static void NAME(layer_delta)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *dz_,
                              const void *W_, const void *a_, void *scratch, void *out_)
{
    const real *dz = dz_, *W = W_, *a = a_;
    real *out = out_, *panel = scratch, tile[TILE_ROWS * TILE_COLS];
    ptrdiff_t tiles = NAME(tiles)(n);
    for (ptrdiff_t j = 0; j < k; j += TILE_COLS) {
        ptrdiff_t cols = k - j < TILE_COLS ? k - j : TILE_COLS;
        int vectors = NAME(vectors)(cols);
        NAME(pack_transposed)(m, cols, W + j * m, m, panel);
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first = t * n / tiles, rows = (t + 1) * n / tiles - first;
            NAME(in_place)[rows - 1][vectors - 1](m, dz + first * m, m, panel, tile);
            for (ptrdiff_t i = 0; i < rows; i++) {
                const real *row = tile + i * vectors * VEC_LANES;
                const real *activation = a + (first + i) * k + j;
                real *restrict delta = out + (first + i) * k + j;
                for (ptrdiff_t c = 0; c < cols; c++)
                    delta[c] = row[c] * (activation[c] * (REAL(1.0) - activation[c]));
            }
        }
    }
}

static void NAME(layer_update)(const dnn_step *step, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m,
                               ptrdiff_t first_row, ptrdiff_t last_row, const void *a_,
                               const void *dz_, void *scratch, void *state1, void *state2, void *W_)
{
    const real *a = a_, *dz = dz_;
    real *W = W_, *s1 = state1, *s2 = state2;
    real *panel = scratch, *a_packed = panel + n * TILE_COLS, tile[TILE_ROWS * TILE_COLS];
    ptrdiff_t slice = last_row - first_row, tiles = NAME(tiles)(slice);
    for (ptrdiff_t t = 0; t < tiles; t++) {
        ptrdiff_t first = t * slice / tiles, rows = (t + 1) * slice / tiles - first;
        real *to = a_packed + first * n;
        const real *from = a + first_row + first;
        for (ptrdiff_t r = 0; r < n; r++, from += k, to += rows)
            for (ptrdiff_t i = 0; i < rows; i++) to[i] = from[i];
    }
    for (ptrdiff_t j = 0; j < m; j += TILE_COLS) {
        ptrdiff_t cols = m - j < TILE_COLS ? m - j : TILE_COLS;
        int vectors = NAME(vectors)(cols);
        NAME(pack)(n, cols, dz + j, m, panel);
        for (ptrdiff_t t = 0; t < tiles; t++) {
            ptrdiff_t first = t * slice / tiles, rows = (t + 1) * slice / tiles - first;
            ptrdiff_t corner = (first_row + first) * m + j;
            /* The tile is written after the product: fetch it meanwhile. */
            for (ptrdiff_t i = 0; i < rows; i++) {
                __builtin_prefetch(W + corner + i * m, 1);
                __builtin_prefetch(s1 + corner + i * m, 1);
            }
            NAME(packed)[rows - 1][vectors - 1](n, a_packed + first * n, 0, panel, tile);
            for (ptrdiff_t i = 0; i < rows; i++) {
                const real *g = tile + i * vectors * VEC_LANES;
                ptrdiff_t at = corner + i * m;
                if (cols == TILE_COLS)
                    NAME(update_row)(step, step->decay, TILE_COLS, g, s1 + at, s2 + at, W + at);
                else
                    NAME(update_row)(step, step->decay, cols, g, s1 + at, s2 + at, W + at);
            }
        }
    }
}

#undef vec
#undef unaligned_vec
#undef VEC_LANES
#undef TILE_COLS
#undef DEFINE_MULTIPLY
#undef IN_PLACE
#undef PACKED
