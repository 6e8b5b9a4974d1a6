/* The activation functions, forward and backward. */
#ifndef DNN_ACTIVATIONS_H
#define DNN_ACTIVATIONS_H

#include "exp_log.h"

/* tanh(x) is x + x^3 P(x^2) for |x| < 5/8, with a minimax polynomial P (relative error 2^-30 for
 * float, 2^-59 for double), else (1 - e) / (1 + e) with e = exp(-2 |x|), with the sign of x. */
INLINE real tanh_one(real x)
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
    const real e = exp_one(REAL(-2.0) * size, 1);
    const real far = (REAL(1.0) - e) / (REAL(1.0) + e);
    return COPYSIGN(size < REAL(0.625) ? near : far, x);
}

/* SELU. ops.h defines its derivative as a function of the output. */
#if REAL_IS_FLOAT
#define SELU_POSITIVE 0x1.0cfabep+0f
#define SELU_NEGATIVE 0x1.c212ccp+0f
#else
#define SELU_POSITIVE 0x1.0cfabd6a91132p+0
#define SELU_NEGATIVE 0x1.c212cc640f031p+0
#endif

INLINE real selu_one(real z)
{
    const real below = SELU_NEGATIVE * expm1_negative(z > 0 ? 0 : z);
    return z > 0 ? SELU_POSITIVE * z : below;
}

/* The following functions also compute their slope f'(z), which is not a function of f(z). It is
 * only computed where it is used. They are built from exp(-|z|), which cannot overflow. Products
 * with exp(-|z|) / EXP_DOWN are multiplied by EXP_DOWN last, so that a subnormal result is rounded
 * only once. Where |z| is limited, f(z) is rounded to 0 or z. */
INLINE real limited(real size, real limit)
{
    return size > limit ? limit : size;
}

/* With e = exp(-|z|): z / (1 + e), or z e / (1 + e) for z < 0. */
INLINE real silu_one(real z, real *slope)
{
    const real x = limited(FABS(z), EXP_LIMIT), raised = exp_raised(-x), e = raised * EXP_DOWN;
    const real whole = REAL(1.0) + e, down = z < 0 ? EXP_DOWN : REAL(1.0);
    *slope = (z < 0 ? raised * (whole - x) : FMA(x, e, whole)) / (whole * whole) * down;
    return (z < 0 ? -x * raised : z) / whole * down;
}

/* tanh(log(1 + exp(z))) = ((1 + exp(z))^2 - 1) / ((1 + exp(z))^2 + 1) as a fraction top / whole of
 * sums of positive terms; for z >= 0, both are multiplied by e^2 with e = exp(-|z|). */
INLINE real mish_one(real z, real *slope)
{
    const real x = limited(FABS(z), EXP_LIMIT), raised = exp_raised(-x), e = raised * EXP_DOWN;
    const real two_more = REAL(2.0) + e, top = FMA(REAL(2.0), e, REAL(1.0));
    const real whole = z < 0 ? FMA(e, two_more, REAL(2.0)) : FMA(REAL(2.0) * e, e, top);
    const real bend = REAL(4.0) * x * (REAL(1.0) + e);
    const real below = raised * FMA(two_more, whole, -bend), above = FMA(bend, e * e, top * whole);
    const real down = z < 0 ? EXP_DOWN : REAL(1.0);
    *slope = (z < 0 ? below : above) / (whole * whole) * down;
    return (z < 0 ? -x * (raised * two_more) : z * top) / whole * down;
}

/* The probability that a standard normal variable exceeds x >= 0 is exp(-x^2 / 2) R(x). With
 * t = (x - k) / (x + k), (x + k) R(x) is a minimax polynomial in t (relative error 2^-30 for float
 * and |x| <= 14.5, 2^-57 for double and |x| <= 38.9). The division is corrected to first order. */
INLINE real normal_tail(real x)
{
#if REAL_IS_FLOAT
    const real k = 3.0f;
#else
    const real k = 5.0;
#endif
    const real r = REAL(1.0) / (x + k);
    real t = FMA(REAL(-2.0) * k, r, REAL(1.0));
    t = FMA(r, FMA(t, -x, FMA(t + REAL(1.0), -k, x)), t);
#if REAL_IS_FLOAT
    real p = 0x1.c8cd6cp-15f;
    p = FMA(p, t, 0x1.134246p-13f);
    p = FMA(p, t, -0x1.00a4eap-12f);
    p = FMA(p, t, -0x1.0eab82p-10f);
    p = FMA(p, t, 0x1.0ca41ep-10f);
    p = FMA(p, t, 0x1.c8bd7ep-8f);
    p = FMA(p, t, -0x1.56d5fcp-7f);
    p = FMA(p, t, -0x1.832d0ap-5f);
    p = FMA(p, t, 0x1.d71386p-3f);
    p = FMA(p, t, -0x1.04c72ap-1f);
    p = FMA(p, t, 0x1.754a76p-1f);
#else
    real p = -0x1.4ab14b4eb769p-32;
    p = FMA(p, t, 0x1.8b21921908201p-30);
    p = FMA(p, t, 0x1.10d120515ead4p-27);
    p = FMA(p, t, -0x1.1d8b799297733p-27);
    p = FMA(p, t, -0x1.1b8910aa2c895p-24);
    p = FMA(p, t, 0x1.5f529fb172e23p-25);
    p = FMA(p, t, 0x1.d0d0eb2f32313p-22);
    p = FMA(p, t, -0x1.684b39aa8292fp-22);
    p = FMA(p, t, -0x1.73a4c35727d84p-19);
    p = FMA(p, t, 0x1.0b1e9383ed728p-18);
    p = FMA(p, t, 0x1.17dc8af60b2c5p-16);
    p = FMA(p, t, -0x1.a1707d9055ecbp-15);
    p = FMA(p, t, -0x1.f2144affaeb58p-15);
    p = FMA(p, t, 0x1.1daf1c3b38cdep-11);
    p = FMA(p, t, -0x1.a250381ae5baap-11);
    p = FMA(p, t, -0x1.88590ea2a8853p-9);
    p = FMA(p, t, 0x1.54b4d4f4f86e3p-6);
    p = FMA(p, t, -0x1.1b1c254c9ebbbp-4);
    p = FMA(p, t, 0x1.51f6329f011efp-3);
    p = FMA(p, t, -0x1.410ed5f8759e4p-2);
    p = FMA(p, t, 0x1.fb31653876f9fp-2);
    p = FMA(p, t, -0x1.54ad03f27ca17p-1);
    p = FMA(p, t, 0x1.89d3abe1f95aep-1);
#endif
    return p * r;
}

/* z Phi(z) with the normal distribution function Phi. The rounding error of x^2 is corrected. */
INLINE real gelu_one(real z, real *slope)
{
#if REAL_IS_FLOAT
    const real limit = 14.9f, density = 0x1.988454p-2f; /* 1 / sqrt(2 pi) */
#else
    const real limit = 38.9, density = 0x1.9884533d43651p-2;
#endif
    const real x = limited(FABS(z), limit), square = x * x, error = FMA(x, x, -square);
    const real exponential = exp_raised(REAL(-0.5) * square);
    const real raised = FMA(exponential, REAL(-0.5) * error, exponential);
    const real tail = normal_tail(x), bend = raised * FMA(x, density, -tail) * EXP_DOWN;
    *slope = z < 0 ? -bend : REAL(1.0) + bend;
    return z < 0 ? -x * (raised * tail) * EXP_DOWN : FMA(-x, raised * tail * EXP_DOWN, z);
}

/* `activation` is a constant after inlining. NaN is propagated. *slope is f'(z) for the activations
 * whose slope is not a function of f(z), else it is not written. */
INLINE real activate_one(dnn_activation activation, real z, real *slope)
{
    switch (activation) {
    case DNN_LOGISTIC: return sigmoid_one(z);
    case DNN_TANH: return tanh_one(z);
    case DNN_RELU: return z < 0 ? 0 : z;
    case DNN_SELU: return selu_one(z);
    case DNN_SILU: return silu_one(z, slope);
    case DNN_GELU: return gelu_one(z, slope);
    case DNN_MISH: return mish_one(z, slope);
    case DNN_EXP: return exp_finite(z);
    default: return z;
    }
}

INLINE void activate_as(dnn_activation activation, ptrdiff_t n, const real *z, real *a)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) {
        real unused;
        a[i] = activate_one(activation, z[i], &unused);
    }
}

INLINE void activate_with_slope_as(dnn_activation activation, ptrdiff_t n, const real *z, real *a,
                                   real *slope)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) {
        real slope_i, a_i = activate_one(activation, z[i], &slope_i);
        a[i] = a_i;
        slope[i] = slope_i;
    }
}

static void activate_with_slope(dnn_activation activation, ptrdiff_t n, const void *z, void *a,
                                void *slope)
{
    switch (activation) {
    case DNN_SILU: activate_with_slope_as(DNN_SILU, n, z, a, slope); break;
    case DNN_GELU: activate_with_slope_as(DNN_GELU, n, z, a, slope); break;
    case DNN_MISH: activate_with_slope_as(DNN_MISH, n, z, a, slope); break;
    default: assert(!"a function of the output");
    }
}

static void activate(dnn_activation activation, ptrdiff_t n, const void *z, void *a, void *slope)
{
    assert(same_or_apart(n, z, a));
    if (slope) {
        activate_with_slope(activation, n, z, a, slope);
        return;
    }
    switch (activation) {
    case DNN_IDENTITY:
        if (z != a) activate_as(DNN_IDENTITY, n, z, a);
        break;
    case DNN_LOGISTIC: activate_as(DNN_LOGISTIC, n, z, a); break;
    case DNN_TANH: activate_as(DNN_TANH, n, z, a); break;
    case DNN_RELU: activate_as(DNN_RELU, n, z, a); break;
    case DNN_SELU: activate_as(DNN_SELU, n, z, a); break;
    case DNN_SILU: activate_as(DNN_SILU, n, z, a); break;
    case DNN_GELU: activate_as(DNN_GELU, n, z, a); break;
    case DNN_MISH: activate_as(DNN_MISH, n, z, a); break;
    case DNN_EXP: activate_as(DNN_EXP, n, z, a); break;
    }
}

/* f'(z), from `kept`: the slope for DNN_SILU, DNN_GELU and DNN_MISH, else the output, which is the
 * slope for DNN_EXP. */
INLINE real derivative_one(dnn_activation activation, real kept)
{
    switch (activation) {
    case DNN_LOGISTIC: return kept * (REAL(1.0) - kept);
    case DNN_TANH: return FMA(-kept, kept, REAL(1.0));
    case DNN_RELU: return kept > 0 ? 1 : 0;
    case DNN_SELU: return kept > 0 ? SELU_POSITIVE : kept + SELU_NEGATIVE;
    case DNN_IDENTITY: return 1;
    default: return kept;
    }
}

INLINE void activate_backward_as(dnn_activation activation, ptrdiff_t n, const real *da,
                                 const real *kept, real *dz)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) dz[i] = da[i] * derivative_one(activation, kept[i]);
}

static void activate_backward(dnn_activation activation, ptrdiff_t n, const void *da,
                              const void *kept, void *dz)
{
    assert(same_or_apart(n, da, dz) && same_or_apart(n, kept, dz));
    switch (activation) {
    case DNN_IDENTITY:
        if (da != dz) activate_backward_as(DNN_IDENTITY, n, da, kept, dz);
        break;
    case DNN_LOGISTIC: activate_backward_as(DNN_LOGISTIC, n, da, kept, dz); break;
    case DNN_TANH: activate_backward_as(DNN_TANH, n, da, kept, dz); break;
    case DNN_RELU: activate_backward_as(DNN_RELU, n, da, kept, dz); break;
    case DNN_SELU: activate_backward_as(DNN_SELU, n, da, kept, dz); break;
    default: activate_backward_as(DNN_SILU, n, da, kept, dz);
    }
}

INLINE void add_bias_as(dnn_activation activation, ptrdiff_t rows, ptrdiff_t cols,
                        const real *restrict b, real *restrict z)
{
    real unused;
    for (ptrdiff_t r = 0; r < rows; r++, z += cols)
        for (ptrdiff_t c = 0; c < cols; c++)
            z[c] = activate_one(activation, z[c] + b[c], &unused);
}

/* Adds the bias to a block of rows, and applies the activation to it while it is in the cache. The
 * short functions do both in one pass. */
static void add_bias(dnn_activation activation, ptrdiff_t rows, ptrdiff_t cols, const void *b,
                     void *z_, void *slope_)
{
    real *z = z_, *slope = slope_;
    switch (activation) {
    case DNN_IDENTITY: add_bias_as(DNN_IDENTITY, rows, cols, b, z); return;
    case DNN_LOGISTIC: add_bias_as(DNN_LOGISTIC, rows, cols, b, z); return;
    case DNN_TANH: add_bias_as(DNN_TANH, rows, cols, b, z); return;
    case DNN_RELU: add_bias_as(DNN_RELU, rows, cols, b, z); return;
    default: break;
    }
    while (rows > 0) {
        const ptrdiff_t m = rows_in_block(rows, cols), size = m * cols;
        add_bias_as(DNN_IDENTITY, m, cols, b, z);
        activate(activation, size, z, z, slope);
        rows -= m, z += size;
        if (slope) slope += size;
    }
}

#endif
