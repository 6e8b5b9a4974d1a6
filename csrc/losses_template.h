/* Losses of each output by itself, for one type `real`.
 * Included by ops_template.h. */

/* log(1 + e), 0 <= e <= 1: what rounding takes from 1 + e is put back to first order. */
INLINE real NAME(log1p_one)(real e)
{
    const real u = REAL(1.0) + e;
    return NAME(log_one)(u) + (e - (u - REAL(1.0))) / u;
}

/* Loss of one output; its residual d goes to *residual. `loss` is a constant. In double, because
 * the square of a float, or a sum of large losses, can be out of its range. */
INLINE double NAME(loss_one)(int loss, real delta, real z, real y, real *residual)
{
    if (loss == DNN_BINARY_CROSS_ENTROPY) {
        const real e = NAME(exp_one)(-FABS(z), 1);
        *residual = (z < 0 ? e : REAL(1.0)) / (REAL(1.0) + e) - y;
        return (double)(FMA(-y, z, z < 0 ? 0 : z) + NAME(log1p_one)(e));
    }
    const real d = z - y;
    if (loss == DNN_SQUARED_ERROR) {
        *residual = d;
        return 0.5 * (double)d * (double)d;
    }
    const real size = FABS(d), inside = size > delta ? delta : size;
    *residual = d < 0 ? -inside : inside;
    return (double)inside * ((double)size - 0.5 * (double)inside);
}

INLINE void NAME(elementwise_loss_as)(int loss, real delta, ptrdiff_t n, const real *z,
                                      const real *Y, double *losses, real *residual)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++)
        losses[i] = NAME(loss_one)(loss, delta, z[i], Y[i], &residual[i]);
}

INLINE double NAME(sum_of_losses)(ptrdiff_t n, const double *x)
{
    enum { SUMS = DNN_LANE_BYTES / sizeof(double) };
    double lane[SUMS] = {0}, total = 0.0;
    ptrdiff_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (int j = 0; j < SUMS; j++) lane[j] += x[i + j];
    for (int j = 0; i + j < n; j++) lane[j] += x[i + j];
    for (int j = 0; j < SUMS; j++) total += lane[j];
    return total;
}

static void NAME(elementwise_loss)(int loss, double delta, ptrdiff_t rows, ptrdiff_t cols,
                                   const void *z_, const void *Y_, double scale,
                                   const void *weight_, double *row_loss, void *dz_)
{
    const real *z = z_, *Y = Y_, *weight = weight_;
    real *dz = dz_;
    double losses[BLOCK];
    while (rows > 0) {
        const ptrdiff_t m = NAME(rows_in_block)(rows, cols), size = m * cols;
        for (ptrdiff_t r = 0; r < m; r++) row_loss[r] = 0.0;
        for (ptrdiff_t start = 0; start < size; start += BLOCK) { /* twice only if m is 1 */
            const ptrdiff_t n = size - start < BLOCK ? size - start : BLOCK;
            const ptrdiff_t width = cols < n ? cols : n;
#define CALL(constant)                                                                           \
    case constant:                                                                               \
        NAME(elementwise_loss_as)(constant, (real)delta, n, z + start, Y + start, losses,        \
                                  dz + start);                                                   \
        break;
            switch (loss) {
                CALL(DNN_BINARY_CROSS_ENTROPY)
                CALL(DNN_SQUARED_ERROR)
                CALL(DNN_HUBER)
            }
#undef CALL
            for (ptrdiff_t r = 0; r < m; r++)
                row_loss[r] += NAME(sum_of_losses)(width, losses + r * cols);
        }
        for (ptrdiff_t r = 0; r < m; r++, dz += cols) {
            const double factor = NAME(factor)(scale, weight, r);
            row_loss[r] = factor == 0.0 ? 0.0 : factor * row_loss[r]; /* which may be infinite */
            for (ptrdiff_t c = 0; c < cols; c++) dz[c] *= (real)factor;
        }
        rows -= m, z += size, Y += size, row_loss += m;
        if (weight) weight += m;
    }
}
