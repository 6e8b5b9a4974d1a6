/* One tile of a matrix product, for one width of vector registers. panels.h includes this file once
 * for each width, and defines TILE_VEC_BYTES, TILE_FMA, and TILE(x) for the names of this copy.
 */

#define tile_vec TILE(vec)
#define unaligned_tile_vec TILE(unaligned_vec)
typedef real tile_vec __attribute__((vector_size(TILE_VEC_BYTES)));
typedef real unaligned_tile_vec
    __attribute__((vector_size(TILE_VEC_BYTES), aligned(sizeof(real)), may_alias));

/* The body of a multiply_function with `rows` rows and `vectors` vectors, which are constants after
 * inlining, so that the sums are in registers. With `far`, a constant, B is not in the cache, and is
 * also written to `copy` unless that is NULL. */
INLINE void TILE(multiply)(int rows, int vectors, ptrdiff_t depth, const real *a, ptrdiff_t a_row,
                           ptrdiff_t a_step, const real *panel, ptrdiff_t p_step,
                           const real *start, real *out, ptrdiff_t ld, int far, real *copy)
{
    enum { WIDTH = TILE_VEC_BYTES / sizeof(real) };
    tile_vec sum[TILE_ROWS][2];
    tile_vec start0 = *(const unaligned_tile_vec *)start, start1 = start0;
    if (vectors == 2) start1 = *(const unaligned_tile_vec *)(start + WIDTH);
    UNROLL
    for (int i = 0; i < rows; i++) sum[i][0] = start0, sum[i][1] = start1;
    for (ptrdiff_t p = 0; p < depth; p++) {
        tile_vec b0 = *(const unaligned_tile_vec *)panel, b1 = b0;
        if (vectors == 2) b1 = *(const unaligned_tile_vec *)(panel + WIDTH);
        if (far) {
            __builtin_prefetch(panel + ROWS_AHEAD * p_step);
            if (vectors == 2) __builtin_prefetch(panel + ROWS_AHEAD * p_step + WIDTH);
        }
        if (far && copy) {
            *(unaligned_tile_vec *)copy = b0;
            if (vectors == 2) *(unaligned_tile_vec *)(copy + WIDTH) = b1;
            copy += vectors * WIDTH;
        }
        UNROLL
        for (int i = 0; i < rows; i++) {
            tile_vec factor = a[i * a_row] - (tile_vec){0};
            sum[i][0] = TILE_FMA(factor, b0, sum[i][0]);
            if (vectors == 2) sum[i][1] = TILE_FMA(factor, b1, sum[i][1]);
        }
        a += a_step;
        panel += p_step;
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        *(unaligned_tile_vec *)(out + i * ld) = sum[i][0];
        if (vectors == 2) *(unaligned_tile_vec *)(out + i * ld + WIDTH) = sum[i][1];
    }
}

/* One function for each number of rows and vectors, with the factors of a row, or of a column of the
 * tile, one after another. */
#define MULTIPLY(name, rows, vectors, A_ROW, A_STEP)                                           \
    static void TILE(name##_##vectors##_##rows)(ptrdiff_t depth, const real *a, ptrdiff_t a_ld, \
                                                const real *panel, ptrdiff_t p_step,            \
                                                const real *start, real *out, ptrdiff_t ld)     \
    {                                                                                          \
        TILE(multiply)(rows, vectors, depth, a, A_ROW, A_STEP, panel, p_step, start, out, ld,   \
                       0, NULL);                                                               \
    }
#define MULTIPLY_ONE(rows)              \
    MULTIPLY(by_rows, rows, 1, a_ld, 1) \
    MULTIPLY(by_columns, rows, 1, 1, a_ld)
#define MULTIPLY_TWO(rows)              \
    MULTIPLY(by_rows, rows, 2, a_ld, 1) \
    MULTIPLY(by_columns, rows, 2, 1, a_ld)
FOR_TILE_ROWS(MULTIPLY_ONE)
#if TILE_VEC_BYTES == VEC_BYTES
FOR_TILE_ROWS(MULTIPLY_TWO)

/* by_rows for the largest tile and columns of B that are not in the cache. They are fetched ahead,
 * and copied to a panel unless that is NULL: while they are multiplied, at no cost. */
static void multiply_far(ptrdiff_t depth, const real *a, ptrdiff_t a_ld, const real *B,
                         ptrdiff_t b_step, const real *start, real *out, ptrdiff_t ld, real *panel)
{
    TILE(multiply)(TILE_ROWS, 2, depth, a, a_ld, 1, B, b_step, start, out, ld, 1, panel);
}
#endif

#undef tile_vec
#undef unaligned_tile_vec
#undef MULTIPLY
#undef MULTIPLY_ONE
#undef MULTIPLY_TWO
