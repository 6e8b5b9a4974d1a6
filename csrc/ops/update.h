/* The update rules of the solvers. */
#ifndef DNN_UPDATE_H
#define DNN_UPDATE_H

#include "real.h"

/* Arithmetic with numbers below the normal ones is a hundred times slower. A state of which the
 * gradient stays 0 decays to them, and stays there: 0.9 times the smallest number is rounded to
 * itself. The square of a gradient gets there from the root of the smallest normal number on. */
INLINE real or_zero(real x, real least)
{
    return FABS(x) < least ? 0 : x;
}

/* `kind` is a constant after inlining. */
INLINE void update_as(dnn_update kind, const dnn_step *step, ptrdiff_t n, const real *restrict g,
                      real *restrict s1, real *restrict s2, real *restrict w)
{
    const real rate = (real)step->rate, momentum = (real)step->momentum;
    const real decay = (real)step->decay, shrink = (real)step->shrink;
    const real beta1 = (real)step->beta1, rest1 = (real)(1.0 - step->beta1);
    const real beta2 = (real)step->beta2, rest2 = (real)(1.0 - step->beta2);
    const real epsilon = (real)step->epsilon;
    const real least = rest2 > 0 ? SQRT(REAL_TINY / rest2) : 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        real d = FMA(decay, w[i], g[i]);
        if (kind == DNN_GRADIENT) {
            s1[i] = d;
        } else if (kind == DNN_SGD) {
            w[i] = FMA(-rate, d, w[i]);
        } else if (kind == DNN_ADAM || kind == DNN_ADAMW) {
            d = or_zero(d, least);
            s1[i] = or_zero(FMA(beta1, s1[i], rest1 * d), REAL_TINY);
            s2[i] = or_zero(FMA(beta2, s2[i], rest2 * (d * d)), REAL_TINY);
            real direction = s1[i] / (SQRT(s2[i]) + epsilon);
            /* shrink * w may be below half an ULP of w: it is added to the other part first. */
            w[i] = kind == DNN_ADAM ? FMA(-rate, direction, w[i])
                                    : w[i] - FMA(rate, direction, shrink * w[i]);
        } else {
            real move = or_zero(FMA(momentum, s1[i], -rate * d), REAL_TINY);
            s1[i] = move;
            w[i] += kind == DNN_NESTEROV ? FMA(momentum, move, -rate * d) : move;
        }
    }
}

INLINE void update(const dnn_step *step, ptrdiff_t n, const void *g, void *state1, void *state2,
                   void *w)
{
    switch (step->update) {
    case DNN_SGD: update_as(DNN_SGD, step, n, g, state1, state2, w); break;
    case DNN_MOMENTUM: update_as(DNN_MOMENTUM, step, n, g, state1, state2, w); break;
    case DNN_NESTEROV: update_as(DNN_NESTEROV, step, n, g, state1, state2, w); break;
    case DNN_ADAM: update_as(DNN_ADAM, step, n, g, state1, state2, w); break;
    case DNN_ADAMW: update_as(DNN_ADAMW, step, n, g, state1, state2, w); break;
    case DNN_GRADIENT: update_as(DNN_GRADIENT, step, n, g, state1, state2, w); break;
    }
}

#endif
