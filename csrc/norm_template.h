/* Norm, forward and backward, for one type `real`.
 * Included by ops_template.h. */

static void NAME(norm)(ptrdiff_t rows, ptrdiff_t cols, const void *x_, const ptrdiff_t *index,
                       ptrdiff_t fetchable, const void *mean_, const void *scale_, void *out_)
{
    const real *mean = mean_, *scale = scale_;
    real *out = out_;
    const size_t row_bytes = (size_t)cols * sizeof(real);
    const ptrdiff_t ahead = row_bytes < FETCH_BYTES / 2 ? (ptrdiff_t)(FETCH_BYTES / row_bytes) : 2;
    for (ptrdiff_t r = 0; r < rows; r++, out += cols) {
        const real *x = (const real *)x_ + (index ? index[r] : r) * cols;
        if (r + ahead < fetchable) {
            /* Rows in random order come from far away. */
            const char *next = (const char *)((const real *)x_ + index[r + ahead] * cols);
            for (size_t i = 0; i < row_bytes; i += 64) __builtin_prefetch(next + i);
        }
        if (!mean) {
            memmove(out, x, row_bytes);
            continue;
        }
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) out[c] = (x[c] - mean[c]) / scale[c];
    }
}

static void NAME(norm_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *da_,
                                const void *scale_, void *dx_)
{
    const real *da = da_, *scale = scale_;
    real *dx = dx_;
    for (ptrdiff_t r = 0; r < rows; r++, da += cols, dx += cols) {
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) dx[c] = da[c] / scale[c];
    }
}
