/* The updates of the solvers, for one type `real`.
 * Included by ops_template.h. */

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
