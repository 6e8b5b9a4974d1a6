/* Softmax and cross-entropy, for one type `real`.
 * Included by ops_template.h. */

/* s = z - max(z), kept finite: the difference of two finite numbers can overflow. Half the
 * range is left to the sums of such numbers. */
INLINE void NAME(shift_row)(ptrdiff_t cols, const real *z, real *s)
{
    real top = NAME(row_max)(cols, z);
    ELEMENTWISE
    for (ptrdiff_t c = 0; c < cols; c++) {
        real d = z[c] - top;
        s[c] = d < -REAL_MAX / 2 ? -REAL_MAX / 2 : d;
    }
}

/* Rows that make up a block of the passes below. */
INLINE ptrdiff_t NAME(rows_in_block)(ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t fit = cols < BLOCK ? BLOCK / cols : 1;
    return rows < fit ? rows : fit;
}

/* Rows shorter than the lanes are treated in columns: a block of them is transposed, and all
 * lanes work on rows of their own. t (cols, m): t = z - max(z) as above; total[r] = sum_c t. */
INLINE void NAME(shift_columns)(ptrdiff_t m, ptrdiff_t cols, real *t)
{
    real top[BLOCK];
    memcpy(top, t, (size_t)m * sizeof(real));
    for (ptrdiff_t c = 1; c < cols; c++) {
        ELEMENTWISE
        for (ptrdiff_t r = 0; r < m; r++) top[r] = t[c * m + r] > top[r] ? t[c * m + r] : top[r];
    }
    for (ptrdiff_t c = 0; c < cols; c++) {
        ELEMENTWISE
        for (ptrdiff_t r = 0; r < m; r++) {
            real d = t[c * m + r] - top[r];
            t[c * m + r] = d < -REAL_MAX / 2 ? -REAL_MAX / 2 : d;
        }
    }
}

INLINE void NAME(sum_of_columns)(ptrdiff_t m, ptrdiff_t cols, const real *restrict t,
                                 real *restrict total)
{
    memcpy(total, t, (size_t)m * sizeof(real));
    for (ptrdiff_t c = 1; c < cols; c++)
        for (ptrdiff_t r = 0; r < m; r++) total[r] += t[c * m + r];
}

static void NAME(softmax_short_rows)(ptrdiff_t m, ptrdiff_t cols, const real *z, real *p)
{
    real t[BLOCK], total[BLOCK];
    NAME(transpose)(m, cols, z, cols, t, m);
    NAME(shift_columns)(m, cols, t);
    NAME(exp_negative)(m * cols, t, t);
    NAME(sum_of_columns)(m, cols, t, total);
    for (ptrdiff_t c = 0; c < cols; c++)
        for (ptrdiff_t r = 0; r < m; r++) t[c * m + r] /= total[r];
    NAME(transpose)(cols, m, t, m, p, cols);
}

static void NAME(softmax_rows)(ptrdiff_t m, ptrdiff_t cols, const real *z, real *p)
{
    for (ptrdiff_t r = 0; r < m; r++) NAME(shift_row)(cols, z + r * cols, p + r * cols);
    NAME(exp_negative)(m * cols, p, p);
    for (ptrdiff_t r = 0; r < m; r++) {
        real *row = p + r * cols;
        real total = NAME(row_sum)(cols, row);
        for (ptrdiff_t c = 0; c < cols; c++) row[c] /= total;
    }
}

static void NAME(softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z_, void *p_)
{
    const real *z = z_;
    real *p = p_;
    while (rows > 0) {
        ptrdiff_t m = NAME(rows_in_block)(rows, cols);
        if (cols < LANES && m > 1) NAME(softmax_short_rows)(m, cols, z, p);
        else NAME(softmax_rows)(m, cols, z, p);
        rows -= m, z += m * cols, p += m * cols;
    }
}

static void NAME(log_softmax)(ptrdiff_t rows, ptrdiff_t cols, const void *z_, void *out_)
{
    const real *z = z_;
    real *out = out_;
    for (; rows > 0; rows--, z += cols, out += cols) {
        real buffer[BLOCK], lane[LANES] = {0};
        NAME(shift_row)(cols, z, out);
        for (ptrdiff_t start = 0; start < cols; start += BLOCK) {
            ptrdiff_t n = cols - start < BLOCK ? cols - start : BLOCK, i = 0;
            NAME(exp_negative)(n, out + start, buffer);
            for (; i + LANES <= n; i += LANES)
                for (int j = 0; j < LANES; j++) lane[j] += buffer[i + j];
            for (int j = 0; i + j < n; j++) lane[j] += buffer[i + j];
        }
        real log_total = NAME(log_one)(NAME(fold_sum)(lane));
        for (ptrdiff_t c = 0; c < cols; c++) out[c] -= log_total;
    }
}

static void NAME(softmax_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *dp_,
                                   const void *p_, void *dz_)
{
    const real *dp = dp_, *p = p_;
    real *dz = dz_;
    for (; rows > 0; rows--, dp += cols, p += cols, dz += cols) {
        real dot = NAME(row_dot)(cols, dp, p);
        ELEMENTWISE
        for (ptrdiff_t c = 0; c < cols; c++) dz[c] = p[c] * (dp[c] - dot);
    }
}

INLINE double NAME(factor)(double scale, const real *weight, ptrdiff_t r)
{
    return weight ? scale * (double)weight[r] : scale;
}

/* A probability that has underflowed to 0 counts as the smallest normal number. */
INLINE real NAME(positive)(real p)
{
    return p < REAL_TINY ? REAL_TINY : p;
}

static void NAME(cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *p_,
                                const ptrdiff_t *label, const void *L_, double scale,
                                const void *weight, double *row_loss)
{
    const real *p = p_, *L = L_;
    for (ptrdiff_t r = 0; r < rows; r++, p += cols) {
        double loss = 0.0;
        if (label) {
            loss = -(double)NAME(log_one)(NAME(positive)(p[label[r]]));
        } else {
            real buffer[BLOCK];
            for (ptrdiff_t start = 0; start < cols; start += BLOCK) {
                ptrdiff_t n = cols - start < BLOCK ? cols - start : BLOCK;
                for (ptrdiff_t i = 0; i < n; i++)
                    buffer[i] = NAME(log_one)(NAME(positive)(p[start + i]));
                loss -= (double)NAME(row_dot)(n, L + r * cols + start, buffer);
            }
        }
        row_loss[r] = NAME(factor)(scale, weight, r) * loss;
    }
}

static void NAME(cross_entropy_backward)(ptrdiff_t rows, ptrdiff_t cols, const void *p_,
                                         const ptrdiff_t *label, const void *L_, double scale,
                                         const void *weight, void *dp_)
{
    const real *p = p_, *L = L_;
    real *dp = dp_;
    for (ptrdiff_t r = 0; r < rows; r++, p += cols, dp += cols) {
        real factor = (real)NAME(factor)(scale, weight, r);
        if (label) {
            real d = -factor / NAME(positive)(p[label[r]]);
            for (ptrdiff_t c = 0; c < cols; c++) dp[c] = 0;
            dp[label[r]] = d;
        } else {
            const real *row = L + r * cols;
            ELEMENTWISE
            for (ptrdiff_t c = 0; c < cols; c++)
                dp[c] = -factor * row[c] / NAME(positive)(p[c]);
        }
    }
}

/* What softmax_cross_entropy is given, at the rows it has come to. */
typedef struct {
    const real *z;
    const ptrdiff_t *label;
    const real *L, *weight;
    double scale;
    double *row_loss;
    real *dz;
} NAME(labelled);

/* log p_i = s_i - log(total), so -sum L_i log p_i = sum L_i log(total) - sum L_i s_i, where s is
 * the shifted row; the second sum is taken before exp overwrites s. */
static void NAME(softmax_ce_rows)(ptrdiff_t m, ptrdiff_t cols, const NAME(labelled) *of)
{
    real total[BLOCK], log_total[BLOCK];
    real *dz = of->dz;
    for (ptrdiff_t r = 0; r < m; r++) {
        real *s = dz + r * cols;
        NAME(shift_row)(cols, of->z + r * cols, s);
        of->row_loss[r] = of->label ? -(double)s[of->label[r]]
                                    : -(double)NAME(row_dot)(cols, of->L + r * cols, s);
    }
    NAME(exp_negative)(m * cols, dz, dz);
    for (ptrdiff_t r = 0; r < m; r++) total[r] = NAME(row_sum)(cols, dz + r * cols);
    NAME(log)(m, total, log_total);
    for (ptrdiff_t r = 0; r < m; r++) {
        real *row = dz + r * cols;
        double factor = NAME(factor)(of->scale, of->weight, r);
        real f = (real)factor, mass = of->label ? REAL(1.0) : NAME(row_sum)(cols, of->L + r * cols);
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

/* The same in columns, for class indices. */
static void NAME(softmax_ce_short_rows)(ptrdiff_t m, ptrdiff_t cols, const NAME(labelled) *of)
{
    real t[BLOCK], total[BLOCK], log_total[BLOCK], f[BLOCK];
    NAME(transpose)(m, cols, of->z, cols, t, m);
    NAME(shift_columns)(m, cols, t);
    for (ptrdiff_t r = 0; r < m; r++) of->row_loss[r] = -(double)t[of->label[r] * m + r];
    NAME(exp_negative)(m * cols, t, t);
    NAME(sum_of_columns)(m, cols, t, total);
    NAME(log)(m, total, log_total);
    for (ptrdiff_t r = 0; r < m; r++) {
        double factor = NAME(factor)(of->scale, of->weight, r);
        f[r] = (real)factor;
        of->row_loss[r] = factor * ((double)log_total[r] + of->row_loss[r]);
    }
    for (ptrdiff_t r = 0; r < m; r++) total[r] = f[r] / total[r];
    for (ptrdiff_t c = 0; c < cols; c++)
        for (ptrdiff_t r = 0; r < m; r++) t[c * m + r] *= total[r];
    for (ptrdiff_t r = 0; r < m; r++) t[of->label[r] * m + r] -= f[r];
    NAME(transpose)(cols, m, t, m, of->dz, cols);
}

static void NAME(softmax_cross_entropy)(ptrdiff_t rows, ptrdiff_t cols, const void *z,
                                        const ptrdiff_t *label, const void *L, double scale,
                                        const void *weight, double *row_loss, void *dz)
{
    NAME(labelled) of = {z, label, L, weight, scale, row_loss, dz};
    while (rows > 0) {
        ptrdiff_t m = NAME(rows_in_block)(rows, cols);
        if (cols < LANES && m > 1 && label) NAME(softmax_ce_short_rows)(m, cols, &of);
        else NAME(softmax_ce_rows)(m, cols, &of);
        rows -= m, of.z += m * cols, of.dz += m * cols, of.row_loss += m;
        if (label) of.label += m;
        else of.L += m * cols;
        if (weight) of.weight += m;
    }
}
