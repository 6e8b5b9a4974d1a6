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

/* `activation` is a constant after inlining. NaN is propagated. */
INLINE real activate_one(dnn_activation activation, real z)
{
    switch (activation) {
    case DNN_LOGISTIC: return sigmoid_one(z);
    case DNN_TANH: return tanh_one(z);
    case DNN_RELU: return z < 0 ? 0 : z;
    default: return z;
    }
}

INLINE real derivative_one(dnn_activation activation, real a)
{
    switch (activation) {
    case DNN_LOGISTIC: return a * (REAL(1.0) - a);
    case DNN_TANH: return FMA(-a, a, REAL(1.0));
    case DNN_RELU: return a > 0 ? 1 : 0;
    default: return 1;
    }
}

/* Invokes CALL with the activation as a constant. */
#define FOR_ACTIVATION(activation, CALL)                 \
    switch (activation) {                                \
    case DNN_IDENTITY: CALL(DNN_IDENTITY); break;        \
    case DNN_LOGISTIC: CALL(DNN_LOGISTIC); break;        \
    case DNN_TANH: CALL(DNN_TANH); break;                \
    case DNN_RELU: CALL(DNN_RELU); break;                \
    }

INLINE void activate_as(dnn_activation activation, ptrdiff_t n, const real *z, real *a)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) a[i] = activate_one(activation, z[i]);
}

static void activate(dnn_activation activation, ptrdiff_t n, const void *z, void *a)
{
    assert(same_or_apart(n, z, a));
    if (activation == DNN_IDENTITY && z == a) return;
#define CALL(constant) activate_as(constant, n, z, a)
    FOR_ACTIVATION(activation, CALL)
#undef CALL
}

INLINE void activate_backward_as(dnn_activation activation, ptrdiff_t n, const real *da,
                                 const real *a, real *dz)
{
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) dz[i] = da[i] * derivative_one(activation, a[i]);
}

static void activate_backward(dnn_activation activation, ptrdiff_t n, const void *da,
                              const void *a, void *dz)
{
    assert(same_or_apart(n, da, dz) && same_or_apart(n, a, dz));
    if (activation == DNN_IDENTITY && da == dz) return;
#define CALL(constant) activate_backward_as(constant, n, da, a, dz)
    FOR_ACTIVATION(activation, CALL)
#undef CALL
}

INLINE void add_bias_as(dnn_activation activation, ptrdiff_t rows, ptrdiff_t cols,
                        const real *restrict b, real *restrict z)
{
    for (ptrdiff_t r = 0; r < rows; r++, z += cols)
        for (ptrdiff_t c = 0; c < cols; c++)
            z[c] = activate_one(activation, z[c] + b[c]);
}

static void add_bias(dnn_activation activation, ptrdiff_t rows, ptrdiff_t cols, const void *b,
                     void *z)
{
#define CALL(constant) add_bias_as(constant, rows, cols, b, z)
    FOR_ACTIVATION(activation, CALL)
#undef CALL
}

#endif
