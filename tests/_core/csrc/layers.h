/* Solvers' updates, and the products of a layer. */
#ifndef LAYERS_H
#define LAYERS_H

#include "context.h"

static dnn_step step_of(dnn_update solver)
{
    return (dnn_step){solver, 0.01, 0.001, 0.02, 0.9, 0.9, 0.999, 1e-8};
}

static void update(context *t, int solver)
{
    dnn_step step = step_of(solver);
    for (int s = 0; s < COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = COLS[s];
        void *g = numbers(t, n, -1, 1), *w = numbers(t, n, -1, 1);
        void *state1 = numbers(t, n, -1, 1), *state2 = numbers(t, n, 0, 1);
        t->ops->update(&step, n, g, state1, state2, w);
        digest(t, n, w);
        digest(t, n, state1);
        digest(t, n, state2);
    }
}

static void *scratch_for(context *t, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m)
{
    return array(t, (ptrdiff_t)t->ops->layer_scratch(n, k, m));
}

/* out[r, c] = start[c] + sum over p of a[r, p] W[p, c], as one chain of multiply-adds. */
static void chains(const context *t, ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a,
                   const void *W, const void *start, void *out)
{
    for (ptrdiff_t r = 0; r < n; r++)
        for (ptrdiff_t c = 0; c < m; c++) {
            double sum = get(t, start, c);
            for (ptrdiff_t p = 0; p < k; p++) {
                const double x = get(t, a, r * k + p), w = get(t, W, p * m + c);
                if (t->size == sizeof(double)) sum = fma(x, w, sum);
                else sum = fmaf((float)x, (float)w, (float)sum);
            }
            put(t, out, r * m + c, sum);
        }
}

/* With one activation after the other: they come after the product, which is checked here. */
static void layer_forward(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        void *a = numbers(t, n * k, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *b = numbers(t, m, -1, 1), *out = array(t, n * m), *expected = array(t, n * m);
        void *scratch = scratch_for(t, n, k, m);
        const int activation = s % N_ACTIVATIONS;
        void *slope = slope_for(t, activation, n * m);
        void *expected_slope = slope_for(t, activation, n * m);
        t->ops->layer_forward(n, k, m, a, W, b, activation, scratch, out, slope);
        chains(t, n, k, m, a, W, b, expected);
        t->ops->activate(activation, n * m, expected, expected, expected_slope);
        require_same(t, n * m, out, expected, "not the activation of the product");
        if (slope) require_same(t, n * m, slope, expected_slope, "not the slope at the product");
        digest(t, n * m, out);
    }
}

/* Its bits are those of layer_forward, which is checked here. */
static void forward_packed(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        if (!n) continue;
        const int activation = s % N_ACTIVATIONS;
        ptrdiff_t width = t->ops->packed_cols(m), ld_a = k + s % 3, ld_out = width + s % 2;
        void *a = numbers(t, (n - 1) * ld_a + k, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *b = numbers(t, m, -1, 1), *packed = array(t, k * width);
        void *rows = array(t, n * k), *expected = array(t, n * m);
        void *out = array(t, (n - 1) * ld_out + width);
        const int zeros = s % 4;  /* none, or up to 3 of 4 elements */
        for (ptrdiff_t i = 0; i < (n - 1) * ld_a + k; i++)
            if ((int)(random_bits(t) % 4) < zeros) put(t, a, i, 0);
        t->ops->pack_weights(k, m, W, packed);
        t->ops->forward_packed(n, k, m, a, ld_a, packed, b, activation, ld_out, out);
        for (ptrdiff_t r = 0; r < n; r++)
            memcpy(at(t, rows, r * k), at(t, a, r * ld_a), (size_t)k * t->size);
        t->ops->layer_forward(n, k, m, rows, W, b, activation, scratch_for(t, n, k, m), expected,
                              NULL);
        for (ptrdiff_t r = 0; r < n; r++) {
            require_same(t, m, at(t, out, r * ld_out), at(t, expected, r * m), "not layer_forward");
            digest(t, m, at(t, out, r * ld_out));
        }
    }
}

/* As layer_forward. */
static void layer_delta(context *t, int unused)
{
    (void)unused;
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        const int activation = s % N_ACTIVATIONS;
        void *dz = numbers(t, n * m, -1, 1), *W = numbers(t, k * m, -1, 1);
        void *a = kept(t, activation, n * k), *scratch = scratch_for(t, n, k, m);
        void *out = array(t, n * k), *expected = array(t, n * k);
        t->ops->layer_delta(n, k, m, dz, W, a, activation, scratch, out);
        t->ops->layer_delta(n, k, m, dz, W, a, DNN_IDENTITY, scratch, expected);
        t->ops->activate_backward(activation, n * k, expected, a, expected);
        require_same(t, n * k, out, expected, "not the product times the slope");
        digest(t, n * k, out);
    }
}

/* All rows of W at once, and in two ranges, which must not change a bit. */
static void layer_update(context *t, int solver)
{
    dnn_step step = step_of(solver);
    ptrdiff_t n, k, m;
    for (int s = 0; layer_shape(s, &n, &k, &m); s++, release(t)) {
        ptrdiff_t size = k * m, cut = s % (k + 1);
        void *a = numbers(t, n * k, -1, 1), *dz = numbers(t, n * m, -1, 1);
        void *W = numbers(t, size, -1, 1), *state1 = numbers(t, size, -1, 1);
        void *state2 = numbers(t, size, 0, 1), *scratch = scratch_for(t, n, k, m);
        void *W_ = copy(t, size, W), *state1_ = copy(t, size, state1);
        void *state2_ = copy(t, size, state2);
        t->ops->layer_update(&step, n, k, m, 0, k, a, dz, scratch, state1, state2, W);
        t->ops->layer_update(&step, n, k, m, cut, k, a, dz, scratch, state1_, state2_, W_);
        t->ops->layer_update(&step, n, k, m, 0, cut, a, dz, scratch, state1_, state2_, W_);
        require_same(t, size, W, W_, "not the same in two ranges");
        digest(t, size, W);
        digest(t, size, state1);
        digest(t, size, state2);
    }
}

#endif
