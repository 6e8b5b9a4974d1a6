/* All operations of ops.h, for one type `real`. Included by ops_isa.h once with
 * REAL_IS_FLOAT 1 and once with 0; NAME(x) gives each copy its own names.
 *
 * Loops are plain C that compilers vectorise: no branches, no calls but fma and sqrt,
 * and no dependence on the register width. ELEMENTWISE promises that iterations are
 * independent, which holds because an output is either its input or apart from it.
 */

#if REAL_IS_FLOAT
#define real float
#define bits_t uint32_t
#define NAME(x) x##_f32
#define FMA __builtin_fmaf
#define SQRT __builtin_sqrtf
#define FABS __builtin_fabsf
#define COPYSIGN __builtin_copysignf
#define REAL_MAX FLT_MAX
#define REAL_TINY FLT_MIN
#define REAL(x) x##f
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#else
#define real double
#define bits_t uint64_t
#define NAME(x) x##_f64
#define FMA __builtin_fma
#define SQRT __builtin_sqrt
#define FABS __builtin_fabs
#define COPYSIGN __builtin_copysign
#define REAL_MAX DBL_MAX
#define REAL_TINY DBL_MIN
#define REAL(x) x
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#endif

enum {
    NAME(LANES) = DNN_LANE_BYTES / sizeof(real),
    /* Elements treated together, so that the passes over them stay in the L1 cache. */
    NAME(BLOCK) = 2048,
};
#define LANES NAME(LANES)
#define BLOCK NAME(BLOCK)

INLINE bits_t NAME(to_bits)(real x)
{
    bits_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

INLINE real NAME(from_bits)(bits_t b)
{
    real x;
    memcpy(&x, &b, sizeof x);
    return x;
}

/* ------------------------------------------------------------------ exp, log, sigmoid */

/* exp(x) = 2^n exp(r), |r| <= ln(2) / 2, with exp(r) = 1 + r + r^2 Q(r); Q is a minimax
 * polynomial (float: relative error 2^-29 of exp(r), double: 2^-59).
 *
 * Adding 1.5 * 2^MANTISSA_BITS to n rounds it to an integer, which then stands in the low bits;
 * with EXPONENT_BIAS and HALF_WAY added too, a shift of these bits makes 2^(n + HALF_WAY). The
 * rest of the power is a constant factor, so that a subnormal result is rounded once. For
 * positive x the sign of HALF_WAY is the other one; `negative`, a constant, says that there
 * are none. NaN passes through, because comparisons with it are false.
 *
 * Largest error against the correctly rounded result (tests/_core/test_csrc.py, and
 * benchmarks/ulp_scan.py for every float): float 1 ULP. */
INLINE real NAME(exp_one)(real x, int negative)
{
#if REAL_IS_FLOAT
    const real lowest = -104.0f, highest = 89.0f, log2_e = 0x1.715476p0f;
    const real ln2_hi = 0x1.62e8p-1f, ln2_lo = -0x1.e8082ep-16f;
    const real to_integer = 0x1.8p23f + EXPONENT_BIAS, half_way = 64.0f;
    const real up = 0x1p64f, down = 0x1p-64f;
#else
    const real lowest = -746.0, highest = 710.0, log2_e = 0x1.71547652b82fep0;
    const real ln2_hi = 0x1.62e42fefa4p-1, ln2_lo = -0x1.8432a1b0e2634p-43;
    const real to_integer = 0x1.8p52 + EXPONENT_BIAS, half_way = 512.0;
    const real up = 0x1p512, down = 0x1p-512;
#endif
    x = x < lowest ? lowest : x;
    if (!negative) x = x > highest ? highest : x;
    const int falls = negative || x < 0;
    const real shift = to_integer + (falls ? half_way : -half_way);
    real shifted = FMA(x, log2_e, shift);
    real n = shifted - shift;
    real r = FMA(n, -ln2_lo, FMA(n, -ln2_hi, x));
#if REAL_IS_FLOAT
    real q = 0x1.6a72p-10f;
    q = FMA(q, r, 0x1.126c7cp-7f);
    q = FMA(q, r, 0x1.555908p-5f);
    q = FMA(q, r, 0x1.55540cp-3f);
    q = FMA(q, r, 0x1.fffffap-2f);
#else
    real q = 0x1.ad676b5ae500ap-26;
    q = FMA(q, r, 0x1.28b32a22b382dp-22);
    q = FMA(q, r, 0x1.71df4462be43cp-19);
    q = FMA(q, r, 0x1.a01992b41c63bp-16);
    q = FMA(q, r, 0x1.a01a0110a0efdp-13);
    q = FMA(q, r, 0x1.6c16c1878d3c5p-10);
    q = FMA(q, r, 0x1.1111111130d28p-7);
    q = FMA(q, r, 0x1.555555554f32bp-5);
    q = FMA(q, r, 0x1.55555555554a2p-3);
    q = FMA(q, r, 0x1.000000000001p-1);
#endif
    real exp_r = REAL(1.0) + FMA(r * r, q, r);
    real power = NAME(from_bits)(NAME(to_bits)(shifted) << MANTISSA_BITS);
    return exp_r * power * (falls ? down : up);
}

/* log(x) = k ln(2) + log(1 + f), 1 + f in [sqrt(1/2), sqrt(2)), and with s = f / (2 + f)
 * log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R(s^2)). log(0) = -inf, log(x < 0) is
 * NaN. Largest error against the correctly rounded result: float 1 ULP. */
INLINE real NAME(log_one)(real x)
{
#if REAL_IS_FLOAT
    const real ln2_hi = 0x1.62e8p-1f, ln2_lo = -0x1.e8082ep-16f;
    const bits_t sqrt_half = 0x3f3504f3u;
    const real int_to_real = 0x1p23f, raise = 0x1p24f;
#else
    const real ln2_hi = 0x1.62e42fefa4p-1, ln2_lo = -0x1.8432a1b0e2634p-43;
    const bits_t sqrt_half = 0x3fe6a09e667f3bcdu;
    const real int_to_real = 0x1p52, raise = 0x1p54;
#endif
    const bits_t mantissa_mask = ((bits_t)1 << MANTISSA_BITS) - 1;
    const bits_t bias = (bits_t)EXPONENT_BIAS << MANTISSA_BITS;
    int subnormal = x < REAL_TINY;
    real normal = x * (subnormal ? raise : REAL(1.0));
    real raised_by = subnormal ? (real)(MANTISSA_BITS == 23 ? 24 : 54) : REAL(0.0);
    bits_t b = NAME(to_bits)(normal) - sqrt_half + bias;
    real biased_k = NAME(from_bits)((b >> MANTISSA_BITS) | NAME(to_bits)(int_to_real));
    real k = (biased_k - int_to_real) - (EXPONENT_BIAS + raised_by);
    real f = NAME(from_bits)((b & mantissa_mask) + sqrt_half) - REAL(1.0);
    real s = f / (REAL(2.0) + f), z = s * s;
#if REAL_IS_FLOAT
    real R = 0x1.ce5d06p-3f;
    R = FMA(R, z, 0x1.24c214p-2f);
    R = FMA(R, z, 0x1.99986cp-2f);
    R = FMA(R, z, 0x1.555556p-1f);
#else
    real R = 0x1.2b5bf656d32aep-3;
    R = FMA(R, z, 0x1.39fe18244b1ffp-3);
    R = FMA(R, z, 0x1.7462b6a5b8437p-3);
    R = FMA(R, z, 0x1.c71c62dfd01f6p-3);
    R = FMA(R, z, 0x1.2492492df3acdp-2);
    R = FMA(R, z, 0x1.99999999952fep-2);
    R = FMA(R, z, 0x1.5555555555558p-1);
#endif
    R *= z;
    real half_square = REAL(0.5) * f * f;
    real low = FMA(s, half_square + R, k * ln2_lo);
    real y = FMA(k, ln2_hi, f - (half_square - low));
    y = x == 0 ? -(real)INFINITY : y;
    y = x < 0 ? (real)NAN : y;
    return x <= REAL_MAX ? y : x;
}

/* With e = exp(-|x|) <= 1 nothing overflows: 1 / (1 + e), or e / (1 + e) for x < 0.
 * Largest error against the correctly rounded result: float 2 ULP. */
INLINE real NAME(sigmoid_one)(real x)
{
    real e = NAME(exp_one)(-FABS(x), 1);
    return (x < 0 ? e : REAL(1.0)) / (REAL(1.0) + e);
}

static void NAME(exp)(ptrdiff_t n, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) y[i] = NAME(exp_one)(x[i], 0);
}

/* The same for x <= 0. */
static void NAME(exp_negative)(ptrdiff_t n, const real *x, real *y)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) y[i] = NAME(exp_one)(x[i], 1);
}

static void NAME(log)(ptrdiff_t n, const void *x_, void *y_)
{
    const real *x = x_;
    real *y = y_;
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) y[i] = NAME(log_one)(x[i]);
}

/* ------------------------------------------------------------------------ activations */

/* For |x| < 5/8, x + x^3 P(x^2) with a minimax polynomial P (float: relative error 2^-30, double:
 * 2^-59); else (1 - e) / (1 + e) with e = exp(-2 |x|). Largest error against the correctly rounded
 * result: float 2 ULP. */
INLINE real NAME(tanh_one)(real x)
{
    const real size = FABS(x), z = x * x;
#if REAL_IS_FLOAT
    real p = 0x1.3acde6p-9f;
    p = FMA(p, z, -0x1.1547fap-7f);
    p = FMA(p, z, 0x1.656cb2p-6f);
    p = FMA(p, z, -0x1.ba19acp-5f);
    p = FMA(p, z, 0x1.111136p-3f);
    p = FMA(p, z, -0x1.555556p-2f);
#else
    real p = 0x1.ae0b6d877193dp-18;
    p = FMA(p, z, -0x1.0447467fb2a15p-15);
    p = FMA(p, z, 0x1.838ef7eba08d2p-14);
    p = FMA(p, z, -0x1.f21080aca119dp-13);
    p = FMA(p, z, 0x1.3522701b51dabp-11);
    p = FMA(p, z, -0x1.7d9eebf7fe0a6p-10);
    p = FMA(p, z, 0x1.d6d3910a5e875p-9);
    p = FMA(p, z, -0x1.226e34370a9bcp-7);
    p = FMA(p, z, 0x1.664f487c3f235p-6);
    p = FMA(p, z, -0x1.ba1ba1ba07897p-5);
    p = FMA(p, z, 0x1.1111111111033p-3);
    p = FMA(p, z, -0x1.5555555555555p-2);
#endif
    const real near = FMA(size * z, p, size);
    const real e = NAME(exp_one)(REAL(-2.0) * size, 1);
    const real far = (REAL(1.0) - e) / (REAL(1.0) + e);
    return COPYSIGN(size < REAL(0.625) ? near : far, x);
}

/* `activation` is a constant where this is inlined. NaN passes through. */
INLINE real NAME(activate_one)(int activation, real z)
{
    switch (activation) {
    case DNN_LOGISTIC: return NAME(sigmoid_one)(z);
    case DNN_TANH: return NAME(tanh_one)(z);
    case DNN_RELU: return z < 0 ? 0 : z;
    default: return z;
    }
}

INLINE real NAME(slope_one)(int activation, real a)
{
    switch (activation) {
    case DNN_LOGISTIC: return a * (REAL(1.0) - a);
    case DNN_TANH: return FMA(-a, a, REAL(1.0));
    case DNN_RELU: return a > 0 ? 1 : 0;
    default: return 1;
    }
}

/* CALL with each activation as a constant. */
#define FOR_ACTIVATION(activation, CALL)                 \
    switch (activation) {                                \
    case DNN_LOGISTIC: CALL(DNN_LOGISTIC); break;        \
    case DNN_TANH: CALL(DNN_TANH); break;                \
    case DNN_RELU: CALL(DNN_RELU); break;                \
    default: CALL(DNN_IDENTITY);                         \
    }

INLINE void NAME(activate_as)(int activation, ptrdiff_t n, const real *z, real *a)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) a[i] = NAME(activate_one)(activation, z[i]);
}

static void NAME(activate)(int activation, ptrdiff_t n, const void *z, void *a)
{
    if (activation == DNN_IDENTITY && z == a) return;
#define CALL(constant) NAME(activate_as)(constant, n, z, a)
    FOR_ACTIVATION(activation, CALL)
#undef CALL
}

INLINE void NAME(activate_backward_as)(int activation, ptrdiff_t n, const real *da, const real *a,
                                       real *dz)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) dz[i] = da[i] * NAME(slope_one)(activation, a[i]);
}

static void NAME(activate_backward)(int activation, ptrdiff_t n, const void *da, const void *a,
                                    void *dz)
{
    if (activation == DNN_IDENTITY && da == dz) return;
#define CALL(constant) NAME(activate_backward_as)(constant, n, da, a, dz)
    FOR_ACTIVATION(activation, CALL)
#undef CALL
}

INLINE void NAME(add_bias_as)(int activation, ptrdiff_t rows, ptrdiff_t cols,
                              const real *restrict b, real *restrict z)
{
    for (ptrdiff_t r = 0; r < rows; r++, z += cols)
        for (ptrdiff_t c = 0; c < cols; c++)
            z[c] = NAME(activate_one)(activation, z[c] + b[c]);
}

static void NAME(add_bias)(int activation, ptrdiff_t rows, ptrdiff_t cols, const void *b, void *z)
{
#define CALL(constant) NAME(add_bias_as)(constant, rows, cols, b, z)
    FOR_ACTIVATION(activation, CALL)
#undef CALL
}

/* A random number of `key` and `index`: a finaliser whose steps are all invertible ("lowbias32",
 * C. Wellons 2018), once for each. */
INLINE uint32_t NAME(hash)(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    return x ^ x >> 16;
}

static void NAME(dropout)(uint32_t key, uint32_t drop_below, double factor, ptrdiff_t first,
                          ptrdiff_t n, const void *x_, void *out_)
{
    const real *x = x_, times = (real)factor;
    real *out = out_;
    const uint32_t start = (uint32_t)first;
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t random = NAME(hash)(NAME(hash)(start + (uint32_t)i) + key);
        out[i] = random < drop_below ? 0 : x[i] * times;
    }
}

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

/* ---------------------------------------------------------------------- bias and norm */

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

/* --------------------------------------------------------- softmax and cross-entropy */

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

/* ------------------------------------------------------- losses of each output by itself */

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

/* ---------------------------------------------------------------------- solver updates */

/* `update` is a constant where this is inlined. */
INLINE void NAME(update_as)(int update, const dnn_step *step, double decay_, ptrdiff_t n,
                            const real *restrict g, real *restrict s1, real *restrict s2,
                            real *restrict w)
{
    const real rate = (real)step->rate, decay = (real)decay_, momentum = (real)step->momentum;
    const real beta1 = (real)step->beta1, rest1 = (real)(1.0 - step->beta1);
    const real beta2 = (real)step->beta2, rest2 = (real)(1.0 - step->beta2);
    const real epsilon = (real)step->epsilon;
    for (ptrdiff_t i = 0; i < n; i++) {
        real d = FMA(decay, w[i], g[i]);
        if (update == DNN_SGD) {
            w[i] = FMA(-rate, d, w[i]);
        } else if (update == DNN_ADAM) {
            s1[i] = FMA(beta1, s1[i], rest1 * d);
            s2[i] = FMA(beta2, s2[i], rest2 * (d * d));
            w[i] = FMA(-rate, s1[i] / (SQRT(s2[i]) + epsilon), w[i]);
        } else {
            real move = FMA(momentum, s1[i], -rate * d);
            s1[i] = move;
            w[i] += update == DNN_NESTEROV ? FMA(momentum, move, -rate * d) : move;
        }
    }
}

INLINE void NAME(update_row)(const dnn_step *step, double decay, ptrdiff_t n, const real *g,
                             real *s1, real *s2, real *w)
{
    switch (step->update) {
    case DNN_SGD: NAME(update_as)(DNN_SGD, step, decay, n, g, s1, s2, w); break;
    case DNN_MOMENTUM: NAME(update_as)(DNN_MOMENTUM, step, decay, n, g, s1, s2, w); break;
    case DNN_NESTEROV: NAME(update_as)(DNN_NESTEROV, step, decay, n, g, s1, s2, w); break;
    default: NAME(update_as)(DNN_ADAM, step, decay, n, g, s1, s2, w);
    }
}

static void NAME(update)(const dnn_step *step, double decay, ptrdiff_t n, const void *g,
                         void *state1, void *state2, void *w)
{
    NAME(update_row)(step, decay, n, g, state1, state2, w);
}

#include "moments_template.h"
#include "matmul_template.h"
#include "packed_template.h"

#undef real
#undef bits_t
#undef NAME
#undef FMA
#undef SQRT
#undef FABS
#undef COPYSIGN
#undef REAL_MAX
#undef REAL_TINY
#undef REAL
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef LANES
#undef BLOCK
#undef SQUARE
#undef FOR_ACTIVATION
#undef VEC_LANES
#undef TILE_COLS
#undef KINDS
#undef OF_KIND
#undef IN_PLACE
#undef PACKED
#undef FEW_TILES
#undef COPY_FACTORS
