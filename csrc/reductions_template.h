/* Transposes, and sums and largest elements of rows and columns, for one type `real`.
 * Included by ops_template.h. */

/* -------------------------------------------------------------------------- transpose */

/* A square of so many rows and columns is transposed in 16-byte registers. */
enum { NAME(SQUARE) = 16 / sizeof(real) };
#define SQUARE NAME(SQUARE)
typedef real NAME(square_row) __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
typedef bits_t NAME(square_index) __attribute__((vector_size(16)));

INLINE void NAME(transpose_square)(const real *x, ptrdiff_t ld, real *out, ptrdiff_t ld_out)
{
    typedef NAME(square_row) row;
    row a = *(const row *)x, b = *(const row *)(x + ld);
#if REAL_IS_FLOAT
    row c = *(const row *)(x + 2 * ld), d = *(const row *)(x + 3 * ld);
    row ac_low = SHUFFLE(a, c, 0, 4, 1, 5), ac_high = SHUFFLE(a, c, 2, 6, 3, 7);
    row bd_low = SHUFFLE(b, d, 0, 4, 1, 5), bd_high = SHUFFLE(b, d, 2, 6, 3, 7);
    *(row *)out = SHUFFLE(ac_low, bd_low, 0, 4, 1, 5);
    *(row *)(out + ld_out) = SHUFFLE(ac_low, bd_low, 2, 6, 3, 7);
    *(row *)(out + 2 * ld_out) = SHUFFLE(ac_high, bd_high, 0, 4, 1, 5);
    *(row *)(out + 3 * ld_out) = SHUFFLE(ac_high, bd_high, 2, 6, 3, 7);
#else
    *(row *)out = SHUFFLE(a, b, 0, 2);
    *(row *)(out + ld_out) = SHUFFLE(a, b, 1, 3);
#endif
}

/* out[c, r] = x[r, c]; rows of x are ld, rows of out ld_out elements apart. */
static void NAME(transpose)(ptrdiff_t rows, ptrdiff_t cols, const real *x, ptrdiff_t ld,
                            real *out, ptrdiff_t ld_out)
{
    ptrdiff_t r = 0;
    for (; r + SQUARE <= rows; r += SQUARE) {
        ptrdiff_t c = 0;
        for (; c + SQUARE <= cols; c += SQUARE)
            NAME(transpose_square)(x + r * ld + c, ld, out + c * ld_out + r, ld_out);
        for (; c < cols; c++)
            for (int i = 0; i < SQUARE; i++) out[c * ld_out + r + i] = x[(r + i) * ld + c];
    }
    for (; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c++) out[c * ld_out + r] = x[r * ld + c];
}

/* ------------------------------------------------------------------------ reductions */

/* Element i goes to lane i % LANES; the lanes are then folded in halves. Rows that do not fill
 * the lanes are taken in order, which is faster for them. */
INLINE real NAME(fold_sum)(real *lane)
{
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

INLINE real NAME(row_sum)(ptrdiff_t n, const real *x)
{
    if (n < LANES) {
        real sum = x[0];
        for (ptrdiff_t i = 1; i < n; i++) sum += x[i];
        return sum;
    }
    real lane[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += x[i + j];
    for (int j = 0; i + j < n; j++) lane[j] += x[i + j];
    return NAME(fold_sum)(lane);
}

INLINE real NAME(row_dot)(ptrdiff_t n, const real *x, const real *y)
{
    if (n < LANES) {
        real sum = 0;
        for (ptrdiff_t i = 0; i < n; i++) sum = FMA(x[i], y[i], sum);
        return sum;
    }
    real lane[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = FMA(x[i + j], y[i + j], lane[j]);
    for (int j = 0; i + j < n; j++) lane[j] = FMA(x[i + j], y[i + j], lane[j]);
    return NAME(fold_sum)(lane);
}

INLINE real NAME(row_max)(ptrdiff_t n, const real *x)
{
    if (n < LANES) {
        real top = x[0];
        for (ptrdiff_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
        return top;
    }
    real lane[LANES];
    ptrdiff_t i = 0;
    for (int j = 0; j < LANES; j++) lane[j] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (int j = 0; i + j < n; j++) lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            lane[j] = lane[j + width] > lane[j] ? lane[j + width] : lane[j];
    return lane[0];
}

static void NAME(column_sums)(ptrdiff_t rows, ptrdiff_t cols, const void *x_, void *out_)
{
    const real *x = x_;
    real *restrict out = out_;
    real sum[LANES] = {0};
    if (cols < LANES) {
        /* Rows are read on into the next one, while there is one. */
        ptrdiff_t r = 0;
        for (; (r * cols) + LANES <= rows * cols; r++)
            for (int j = 0; j < LANES; j++) sum[j] += x[r * cols + j];
        real last[LANES];
        memcpy(last, sum, sizeof last);
        for (; r < rows; r++)
            for (ptrdiff_t c = 0; c < cols; c++) last[c] += x[r * cols + c];
        memcpy(out, last, (size_t)cols * sizeof(real));
        return;
    }
    for (ptrdiff_t start = 0; start < cols; start += LANES) {
        /* The last lanes go back over columns that are done. */
        ptrdiff_t c = start + LANES <= cols ? start : cols - LANES;
        for (int j = 0; j < LANES; j++) sum[j] = 0;
        for (ptrdiff_t r = 0; r < rows; r++)
            for (int j = 0; j < LANES; j++) sum[j] += x[r * cols + c + j];
        for (int j = 0; j < LANES; j++) out[c + j] = sum[j];
    }
}

static double NAME(sum_squares)(ptrdiff_t n, const void *x)
{
    return (double)NAME(row_dot)(n, x, x);
}

/* x - x is 0, or NaN. Sums in several rows of lanes, because one would wait for each addition. */
static int NAME(all_finite)(ptrdiff_t n, const void *x_)
{
    enum { SUMS = 4 * NAME(LANES) };
    const real *x = x_;
    real sum[SUMS] = {0}, total = 0;
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int j = 0; j < SUMS; j++) sum[j] += x[i + j] - x[i + j];
    for (; i < n; i++) total += x[i] - x[i];
    for (int j = 0; j < SUMS; j++) total += sum[j];
    return total == 0;
}
