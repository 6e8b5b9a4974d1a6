/* Losses of rows and their derivatives: cross-entropy from probabilities and from logits, and the
 * losses that are sums over the outputs. */
#ifndef DNN_LOSSES_H
#define DNN_LOSSES_H

#include "softmax.h"

/* The factor of the loss of row r. */
INLINE double row_factor(double inverse_total, const real *weight, ptrdiff_t r)
{
    return weight ? inverse_total * (double)weight[r] : inverse_total;
}

INLINE int are_classes(ptrdiff_t rows, const ptrdiff_t *label, ptrdiff_t cols)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        if (label[r] < 0 || label[r] >= cols) return 0;
    return 1;
}

/* Replaces probabilities below the smallest normal number by that number. */
INLINE real positive(real p)
{
    return p < REAL_TINY ? REAL_TINY : p;
}

static void cross_entropy(ptrdiff_t rows, ptrdiff_t cols, const void *p_, const ptrdiff_t *label,
                          const void *L_, double inverse_total, const void *weight,
                          double *row_loss)
{
    assert(label ? are_classes(rows, label, cols) : L_ != NULL);
    const real *p = p_, *L = L_;
    for (ptrdiff_t r = 0; r < rows; r++, p += cols) {
        double loss = 0.0;
        if (label) {
            loss = -(double)log_one(positive(p[label[r]]));
        } else {
            real buffer[BLOCK];
            for (ptrdiff_t start = 0; start < cols; start += BLOCK) {
                ptrdiff_t n = cols - start < BLOCK ? cols - start : BLOCK;
                for (ptrdiff_t i = 0; i < n; i++) buffer[i] = log_one(positive(p[start + i]));
                loss -= (double)row_dot(n, L + r * cols + start, buffer);
            }
        }
        row_loss[r] = row_factor(inverse_total, weight, r) * loss;
    }
}

static void cross_entropy_backward(ptrdiff_t rows, ptrdiff_t cols, const void *p_,
                                   const ptrdiff_t *label, const void *L_, double inverse_total,
                                   const void *weight, void *dp_)
{
    assert(label ? are_classes(rows, label, cols) : L_ != NULL);
    assert(same_or_apart(rows * cols, p_, dp_));
    const real *p = p_, *L = L_;
    real *dp = dp_;
    for (ptrdiff_t r = 0; r < rows; r++, p += cols, dp += cols) {
        real factor = (real)row_factor(inverse_total, weight, r);
        if (label) {
            real d = -factor / positive(p[label[r]]);
            for (ptrdiff_t c = 0; c < cols; c++) dp[c] = 0;
            dp[label[r]] = d;
        } else {
            const real *row = L + r * cols;
            ELEMENTWISE
            for (ptrdiff_t c = 0; c < cols; c++) dp[c] = -factor * row[c] / positive(p[c]);
        }
    }
}

/* The remaining rows of softmax_cross_entropy. */
typedef struct {
    const real *z;
    const ptrdiff_t *label;
    const real *L, *weight;
    double inverse_total;
    double *row_loss;
    real *dz;
} labelled;

/* log p_i = s_i - log(total), where s is the shifted row, so
 * -sum L_i log p_i = sum L_i log(total) - sum L_i s_i. The second sum is computed before exp
 * overwrites s. */
static void softmax_ce_rows(ptrdiff_t m, ptrdiff_t cols, const labelled *of)
{
    real total[BLOCK], log_total[BLOCK];
    real *dz = of->dz;
    for (ptrdiff_t r = 0; r < m; r++) {
        real *s = dz + r * cols;
        shift_row(cols, of->z + r * cols, s);
        of->row_loss[r] = of->label ? -(double)s[of->label[r]]
                                    : -(double)row_dot(cols, of->L + r * cols, s);
    }
    exp_negative(m * cols, dz, dz);
    for (ptrdiff_t r = 0; r < m; r++) total[r] = row_sum(cols, dz + r * cols);
    for (ptrdiff_t r = 0; r < m; r++) log_total[r] = log_one(total[r]);
    for (ptrdiff_t r = 0; r < m; r++) {
        real *row = dz + r * cols;
        double factor = row_factor(of->inverse_total, of->weight, r);
        real f = (real)factor, mass = of->label ? REAL(1.0) : row_sum(cols, of->L + r * cols);
        of->row_loss[r] = factor * ((double)mass * (double)log_total[r] + of->row_loss[r]);
        if (of->label) {
            real to_p = f / total[r];
            for (ptrdiff_t c = 0; c < cols; c++) row[c] *= to_p;
            row[of->label[r]] -= f;
        } else {
            const real *labels = of->L + r * cols;
            real to_p = mass / total[r];
            ELEMENTWISE
            for (ptrdiff_t c = 0; c < cols; c++) row[c] = f * FMA(row[c], to_p, -labels[c]);
        }
    }
}

/* The same for class indices, on the transposed block. */
static void softmax_ce_short_rows(ptrdiff_t m, ptrdiff_t cols, const labelled *of)
{
    real t[BLOCK], total[BLOCK], log_total[BLOCK], f[BLOCK];
    transpose(m, cols, of->z, cols, t, m);
    shift_columns(m, cols, t);
    for (ptrdiff_t r = 0; r < m; r++) of->row_loss[r] = -(double)t[of->label[r] * m + r];
    exp_negative(m * cols, t, t);
    sum_of_columns(m, cols, t, total);
    for (ptrdiff_t r = 0; r < m; r++) log_total[r] = log_one(total[r]);
    for (ptrdiff_t r = 0; r < m; r++) {
        double factor = row_factor(of->inverse_total, of->weight, r);
        f[r] = (real)factor;
        of->row_loss[r] = factor * ((double)log_total[r] + of->row_loss[r]);
    }
    for (ptrdiff_t r = 0; r < m; r++) total[r] = f[r] / total[r];
    for (ptrdiff_t c = 0; c < cols; c++)
        for (ptrdiff_t r = 0; r < m; r++) t[c * m + r] *= total[r];
    for (ptrdiff_t r = 0; r < m; r++) t[of->label[r] * m + r] -= f[r];
    transpose(cols, m, t, m, of->dz, cols);
}

static void softmax_cross_entropy(ptrdiff_t rows, ptrdiff_t cols, const void *z,
                                  const ptrdiff_t *label, const void *L, double inverse_total,
                                  const void *weight, double *row_loss, void *dz)
{
    assert(label ? are_classes(rows, label, cols) : L != NULL);
    assert(same_or_apart(rows * cols, z, dz));
    labelled of = {z, label, L, weight, inverse_total, row_loss, dz};
    while (rows > 0) {
        ptrdiff_t m = rows_in_block(rows, cols);
        if (cols < LANES && m > 1 && label) softmax_ce_short_rows(m, cols, &of);
        else softmax_ce_rows(m, cols, &of);
        rows -= m, of.z += m * cols, of.dz += m * cols, of.row_loss += m;
        if (label) of.label += m;
        else of.L += m * cols;
        if (weight) of.weight += m;
    }
}

/* exp(z) is finite below. */
#if REAL_IS_FLOAT
#define LOG_MAX 0x1.62e42ep+6f
#else
#define LOG_MAX 0x1.62e42fefa39efp+9
#endif

/* Returns the loss of one output, and writes its residual d to *residual. `loss` is a constant;
 * `parameter` is delta of HUBER or the level of QUANTILE. The loss is a double, because squares of
 * floats and sums of large losses can overflow. NaN is propagated. */
INLINE double loss_one(dnn_loss loss, real parameter, real z, real y, real *residual)
{
    if (loss == DNN_POISSON) {
        const real m = exp_finite(z), log_y = log_one(y > 0 ? y : REAL(1.0));
        const real log_m = z > LOG_MAX ? LOG_MAX : z;
        *residual = m - y;
        const double deviance = (double)y * ((double)log_y - (double)log_m) + ((double)m - (double)y);
        return deviance < 0.0 ? 0.0 : deviance; /* by rounding */
    }
    if (loss == DNN_BINARY_CROSS_ENTROPY) {
        const real e = exp_one(-FABS(z), 1);
        *residual = (z < 0 ? e : REAL(1.0)) / (REAL(1.0) + e) - y;
        return (double)(FMA(-y, z, z < 0 ? 0 : z) + log1p_one(e));
    }
    const real d = z - y;
    if (loss == DNN_SQUARED_ERROR) {
        *residual = d;
        return 0.5 * (double)d * (double)d;
    }
    if (loss == DNN_ABSOLUTE_ERROR) {
        *residual = d > 0 ? REAL(1.0) : d < 0 ? REAL(-1.0) : d;
        return (double)FABS(d);
    }
    if (loss == DNN_QUANTILE) {
        const real slope = d > 0 ? REAL(1.0) - parameter : d < 0 ? -parameter : d;
        *residual = slope;
        return (double)slope * (double)d;
    }
    const real size = FABS(d), inside = size > parameter ? parameter : size;
    *residual = d < 0 ? -inside : inside;
    return (double)inside * ((double)size - 0.5 * (double)inside);
}

/* `levels` has a parameter for each element, for DNN_QUANTILE. */
INLINE void elementwise_loss_as(dnn_loss loss, real parameter, const real *levels, ptrdiff_t n,
                                const real *z, const real *Y, double *losses, real *residual)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) {
        const real own = loss == DNN_QUANTILE ? levels[i] : parameter;
        losses[i] = loss_one(loss, own, z[i], Y[i], &residual[i]);
    }
}

/* out[i] = row[(first + i) % cols], for first < cols. */
INLINE void repeat_row(ptrdiff_t cols, const double *row, ptrdiff_t first, ptrdiff_t n, real *out)
{
    for (ptrdiff_t i = 0, c = first; i < n; i++, c = c + 1 < cols ? c + 1 : 0)
        out[i] = (real)row[c];
}

INLINE double sum_of_losses(ptrdiff_t n, const double *x)
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

static void elementwise_loss(dnn_loss loss, const double *parameters, ptrdiff_t rows,
                             ptrdiff_t cols, const void *z_, const void *Y_, double inverse_total,
                             const void *weight_, double *row_loss, void *dz_)
{
    assert(same_or_apart(rows * cols, z_, dz_));
    const real *z = z_, *Y = Y_, *weight = weight_;
    const real parameter = loss == DNN_HUBER ? (real)parameters[0] : REAL(0.0);
    real *dz = dz_, levels[BLOCK];
    double losses[BLOCK];
    while (rows > 0) {
        const ptrdiff_t m = rows_in_block(rows, cols), size = m * cols;
        for (ptrdiff_t r = 0; r < m; r++) row_loss[r] = 0.0;
        for (ptrdiff_t start = 0; start < size; start += BLOCK) { /* more than once only if m is 1 */
            const ptrdiff_t n = size - start < BLOCK ? size - start : BLOCK;
            const ptrdiff_t width = cols < n ? cols : n;
            if (loss == DNN_QUANTILE) repeat_row(cols, parameters, start, n, levels);
#define CALL(constant)                                                                         \
    case constant:                                                                             \
        elementwise_loss_as(constant, parameter, levels, n, z + start, Y + start, losses,      \
                            dz + start);                                                       \
        break;
            switch (loss) {
                CALL(DNN_BINARY_CROSS_ENTROPY)
                CALL(DNN_SQUARED_ERROR)
                CALL(DNN_HUBER)
                CALL(DNN_ABSOLUTE_ERROR)
                CALL(DNN_QUANTILE)
                CALL(DNN_POISSON)
            }
#undef CALL
            for (ptrdiff_t r = 0; r < m; r++)
                row_loss[r] += sum_of_losses(width, losses + r * cols);
        }
        for (ptrdiff_t r = 0; r < m; r++, dz += cols) {
            const double factor = row_factor(inverse_total, weight, r);
            row_loss[r] = factor == 0.0 ? 0.0 : factor * row_loss[r]; /* the sum may be infinite */
            for (ptrdiff_t c = 0; c < cols; c++) dz[c] *= (real)factor;
        }
        rows -= m, z += size, Y += size, row_loss += m;
        if (weight) weight += m;
    }
}

#endif
