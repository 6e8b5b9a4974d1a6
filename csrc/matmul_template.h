/* The three matrix products of a layer, for one type `real`. Included by ops_template.h.
 *
 * C = A B is computed in tiles of at most TILE_ROWS rows and two vectors of columns, whose
 * sums stay in registers over the whole inner dimension ("depth"). Before that, the columns
 * of B that a tile needs are packed into a panel that is read in order.
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

/* out = start + A panel, `rows` rows `ld` apart and `vectors` vectors wide. Both are constants
 * where this is inlined, so that the sums are registers. Rows of the panel are p_step apart;
 * every sum begins with its column of the row `start`. */
INLINE void NAME(multiply)(int rows, int vectors, ptrdiff_t depth, const real *a, ptrdiff_t a_row,
                           ptrdiff_t a_step, const real *panel, ptrdiff_t p_step,
                           const real *start, real *out, ptrdiff_t ld)
{
    vec sum[TILE_ROWS][2];
    vec start0 = *(const unaligned_vec *)start, start1 = start0;
    if (vectors == 2) start1 = *(const unaligned_vec *)(start + VEC_LANES);
    UNROLL
    for (int i = 0; i < rows; i++) sum[i][0] = start0, sum[i][1] = start1;
    for (ptrdiff_t p = 0; p < depth; p++) {
        vec b0 = *(const unaligned_vec *)panel, b1 = b0;
        if (vectors == 2) b1 = *(const unaligned_vec *)(panel + VEC_LANES);
        UNROLL
        for (int i = 0; i < rows; i++) {
            vec factor = a[i * a_row] - (vec){0};
            sum[i][0] = NAME(vec_fma)(factor, b0, sum[i][0]);
            if (vectors == 2) sum[i][1] = NAME(vec_fma)(factor, b1, sum[i][1]);
        }
        a += a_step;
        panel += p_step;
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        *(unaligned_vec *)(out + i * ld) = sum[i][0];
        if (vectors == 2) *(unaligned_vec *)(out + i * ld + VEC_LANES) = sum[i][1];
    }
}

typedef void (*NAME(multiply_function))(ptrdiff_t depth, const real *a, ptrdiff_t a_row,
                                        const real *panel, ptrdiff_t p_step,
                                        const real *start, real *out, ptrdiff_t ld);

/* One function for each number of rows and vectors, with A in place or packed. */
#define MULTIPLY(name, rows, vectors, A_ROW, A_STEP)                                            \
    static void NAME(name##_##vectors##_##rows)(ptrdiff_t depth, const real *a, ptrdiff_t a_row, \
                                                const real *panel, ptrdiff_t p_step,             \
                                                const real *start, real *out, ptrdiff_t ld)      \
    {                                                                                           \
        (void)a_row;                                                                            \
        NAME(multiply)(rows, vectors, depth, a, A_ROW, A_STEP, panel, p_step, start, out, ld);   \
    }
#define MULTIPLY_ROWS(rows)              \
    MULTIPLY(in_place, rows, 1, a_row, 1) \
    MULTIPLY(in_place, rows, 2, a_row, 1) \
    MULTIPLY(packed, rows, 1, 1, rows)    \
    MULTIPLY(packed, rows, 2, 1, rows)
FOR_TILE_ROWS(MULTIPLY_ROWS)

#define IN_PLACE(rows) {NAME(in_place_1_##rows), NAME(in_place_2_##rows)},
#define PACKED(rows) {NAME(packed_1_##rows), NAME(packed_2_##rows)},
static const NAME(multiply_function) NAME(in_place)[TILE_ROWS][2] = {FOR_TILE_ROWS(IN_PLACE)};
static const NAME(multiply_function) NAME(packed)[TILE_ROWS][2] = {FOR_TILE_ROWS(PACKED)};

/* So few tiles are not worth a packed panel: they read B in place. */
enum { NAME(FEW_TILES) = 4 };
#define FEW_TILES NAME(FEW_TILES)

/* Rows are shared out evenly to tiles: a last tile of one or two rows would run at the
 * latency of the multiply-add. Tile t of `tiles` begins at t * n / tiles. */
INLINE ptrdiff_t NAME(tiles)(ptrdiff_t n)
{
    return (n + TILE_ROWS - 1) / TILE_ROWS;
}

/* A panel: `cols` columns from `start`, in one or two vectors of which it fills all if the
 * matrix is wide enough. For that the last panel begins early: its first `done` columns belong
 * to the panel before. */
typedef struct {
    ptrdiff_t start, cols, width, done;
    int vectors;
} NAME(panel);

INLINE NAME(panel) NAME(panel_at)(ptrdiff_t j, ptrdiff_t m)
{
    NAME(panel) p;
    p.vectors = m - j > VEC_LANES ? 2 : 1;
    p.width = p.vectors * VEC_LANES;
    p.start = m - j >= p.width || m < p.width ? j : m - p.width;
    p.cols = m - p.start < p.width ? m - p.start : p.width;
    p.done = j - p.start;
    return p;
}

/* panel[p, c] = B[p, c], c < cols; the rest of the width is any numbers. B has rows `ld` apart,
 * and where cols < width it is all of them: cols == ld. */
static void NAME(pack)(ptrdiff_t depth, ptrdiff_t cols, ptrdiff_t width, const real *B,
                       ptrdiff_t ld, real *panel)
{
    if (cols == TILE_COLS) {
        for (ptrdiff_t p = 0; p < depth; p++, B += ld, panel += TILE_COLS) {
            *(unaligned_vec *)panel = *(const unaligned_vec *)B;
            *(unaligned_vec *)(panel + VEC_LANES) = *(const unaligned_vec *)(B + VEC_LANES);
        }
    } else if (cols == VEC_LANES) {
        for (ptrdiff_t p = 0; p < depth; p++, B += ld, panel += VEC_LANES)
            *(unaligned_vec *)panel = *(const unaligned_vec *)B;
    } else {
        /* The lanes past `cols` are not used: let them have what follows, while that is B. */
        for (; depth * ld >= ld + width; depth--, B += ld, panel += width)
            for (ptrdiff_t c = 0; c < width; c += VEC_LANES)
                *(unaligned_vec *)(panel + c) = *(const unaligned_vec *)(B + c);
        for (; depth > 0; depth--, B += ld, panel += width)
            for (ptrdiff_t c = 0; c < width; c++) panel[c] = c < cols ? B[c] : 0;
    }
}

/* panel[p, c] = B[c, p], c < cols; the rest of the width is zero. */
static void NAME(pack_transposed)(ptrdiff_t depth, ptrdiff_t cols, ptrdiff_t width,
                                  const real *B, ptrdiff_t ld, real *panel)
{
    ptrdiff_t c = 0;
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
            NAME(multiply_function) multiply = NAME(in_place)[rows - 1][of.vectors - 1];
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

static void NAME(layer_forward)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a,
                                const void *W, const void *b, int hidden, void *scratch, void *out)
{
    NAME(product)(0, n, k, m, a, W, b, scratch, out);
    if (hidden) NAME(sigmoid)(n * m, out, out);
}

static void NAME(layer_delta)(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *dz, const void *W,
                              const void *a, void *scratch, void *out)
{
    NAME(product)(1, n, m, k, dz, W, NULL, scratch, out);
    NAME(sigmoid_backward)(n * k, out, a, out);
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
                NAME(packed)[rows - 1][of.vectors - 1](n, factors + first * n, 1, panel,
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
