/* exp, expm1, log, log1p and sigmoid. See ops.h for their largest errors. */
#ifndef DNN_EXP_LOG_H
#define DNN_EXP_LOG_H

#include "real.h"

/* exp(x) = 2^n exp(r) with |r| <= ln(2) / 2, and exp(r) = 1 + r + r^2 Q(r) with a minimax
 * polynomial Q (relative error of exp(r): 2^-29 for float, 2^-59 for double).
 *
 * Adding 1.5 * 2^MANTISSA_BITS to x / ln(2) rounds it to an integer n, stored in the low bits. With
 * EXPONENT_BIAS and half_way also added, shifting these bits to the exponent gives
 * 2^(n + half_way). The factor 2^-half_way is applied last, so that a subnormal result is rounded
 * only once. For positive x, the sign of half_way is reversed. `negative`, a constant, asserts that
 * there are no positive x. NaN is propagated, because comparisons with NaN are false.
 *
 * x below -EXP_LIMIT is replaced by -EXP_LIMIT, where x exp(x) is rounded to 0, and 2^-half_way
 * exp(x) is not yet subnormal. */
#if REAL_IS_FLOAT
#define EXP_LIMIT 112.0f
#define EXP_DOWN 0x1p-64f
#else
#define EXP_LIMIT 760.0
#define EXP_DOWN 0x1p-512
#endif

typedef struct {
    real rest;   /* exp(r) - 1 */
    real power;  /* 2^(n + half_way), or 2^(n - half_way) for positive x */
    real factor; /* 2^-half_way, or 2^half_way */
} exp_parts;

INLINE exp_parts exp_parts_of(real x, int negative)
{
#if REAL_IS_FLOAT
    const real highest = 89.0f, log2_e = 0x1.715476p0f;
    const real ln2_hi = 0x1.62e8p-1f, ln2_lo = -0x1.e8082ep-16f;
    const real to_integer = 0x1.8p23f + EXPONENT_BIAS, half_way = 64.0f, up = 0x1p64f;
#else
    const real highest = 710.0, log2_e = 0x1.71547652b82fep0;
    const real ln2_hi = 0x1.62e42fefa4p-1, ln2_lo = -0x1.8432a1b0e2634p-43;
    const real to_integer = 0x1.8p52 + EXPONENT_BIAS, half_way = 512.0, up = 0x1p512;
#endif
    x = x < -EXP_LIMIT ? -EXP_LIMIT : x;
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
    return (exp_parts){FMA(r * r, q, r), from_bits(to_bits(shifted) << MANTISSA_BITS),
                       falls ? EXP_DOWN : up};
}

INLINE real exp_one(real x, int negative)
{
    const exp_parts of = exp_parts_of(x, negative);
    return (REAL(1.0) + of.rest) * of.power * of.factor;
}

/* exp(x), at most the largest finite number. */
INLINE real exp_finite(real x)
{
    const real e = exp_one(x, 0);
    return e > REAL_MAX ? REAL_MAX : e;
}

/* exp(x) / EXP_DOWN for x <= 0, which is never subnormal. */
INLINE real exp_raised(real x)
{
    const exp_parts of = exp_parts_of(x, 1);
    return (REAL(1.0) + of.rest) * of.power;
}

/* exp(x) - 1 for x <= 0, without cancellation: n is 0 near 0. */
INLINE real expm1_negative(real x)
{
    const exp_parts of = exp_parts_of(x, 1);
    const real power = of.power * EXP_DOWN;
    return FMA(power, of.rest, power - REAL(1.0));
}

/* log(x) = k ln(2) + log(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and with s = f / (2 + f),
 * log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R(s^2)). log(0) is -infinity, and log(x) is NaN
 * for x < 0. */
INLINE real log_one(real x)
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
    bits_t b = to_bits(normal) - sqrt_half + bias;
    real biased_k = from_bits((b >> MANTISSA_BITS) | to_bits(int_to_real));
    real k = (biased_k - int_to_real) - (EXPONENT_BIAS + raised_by);
    real f = from_bits((b & mantissa_mask) + sqrt_half) - REAL(1.0);
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

/* log(1 + e) for 0 <= e <= 1. The rounding error of 1 + e is corrected to first order. 1 ULP:
 * float at 0x1.1a756ap-2, double at 0x1.9c2ae44be16cep-2. */
INLINE real log1p_one(real e)
{
    const real u = REAL(1.0) + e;
    return log_one(u) + (e - (u - REAL(1.0))) / u;
}

/* 1 / (1 + e), or e / (1 + e) for x < 0, with e = exp(-|x|) <= 1, which cannot overflow. */
INLINE real sigmoid_one(real x)
{
    real e = exp_one(-FABS(x), 1);
    return (x < 0 ? e : REAL(1.0)) / (REAL(1.0) + e);
}

static void exp_array(ptrdiff_t n, const void *x_, void *y_)
{
    assert(same_or_apart(n, x_, y_));
    const real *x = x_;
    real *y = y_;
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) y[i] = exp_one(x[i], 0);
}

/* y = exp(x) for x <= 0. */
static void exp_negative(ptrdiff_t n, const real *x, real *y)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) y[i] = exp_one(x[i], 1);
}

static void log_array(ptrdiff_t n, const void *x_, void *y_)
{
    assert(same_or_apart(n, x_, y_));
    const real *x = x_;
    real *y = y_;
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) y[i] = log_one(x[i]);
}

#endif
