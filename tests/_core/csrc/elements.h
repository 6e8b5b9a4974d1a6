/* Operations on elements, and sums over them. */
#ifndef ELEMENTS_H
#define ELEMENTS_H

#include "context.h"

enum { N_ACTIVATIONS = DNN_MISH + 1 };

/* An array of n elements for the slope of an activation, or NULL if its output gives the slope. */
static void *slope_for(context *t, int activation, ptrdiff_t n)
{
    int separate = activation == DNN_SILU || activation == DNN_GELU || activation == DNN_MISH;
    return separate ? array(t, n) : NULL;
}

static void elementwise(context *t, int log)
{
    void (*f)(ptrdiff_t, const void *, void *) = log ? t->ops->log : t->ops->exp;
    for (int s = 0; s <= COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = s < COUNT(COLS) ? COLS[s] : 20000;
        void *x = all_kinds(t, n), *y = array(t, n);
        f(n, x, y);
        digest(t, n, y);
        f(n, x, x);
        digest(t, n, x);
    }
}

static void activate(context *t, int activation)
{
    for (int s = 0; s <= COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = s < COUNT(COLS) ? COLS[s] : 20000;
        void *z = all_kinds(t, n), *a = array(t, n), *slope = slope_for(t, activation, n);
        t->ops->activate(activation, n, z, a, slope);
        digest(t, n, a);
        if (slope) digest(t, n, slope);
        t->ops->activate(activation, n, z, z, NULL);
        digest(t, n, z);
    }
}

/* What the backward pass needs of an activation: its slopes or else its outputs, of which half are
 * 0 if it is RELU. */
static void *kept(context *t, int activation, ptrdiff_t n)
{
    void *a = numbers(t, n, -3, 3), *slope = slope_for(t, activation, n);
    t->ops->activate(activation, n, a, a, slope);
    return slope ? slope : a;
}

static void activate_backward(context *t, int activation)
{
    for (int s = 0; s < COUNT(COLS); s++, release(t)) {
        ptrdiff_t n = COLS[s];
        void *da = numbers(t, n, -2, 2), *a = kept(t, activation, n), *dz = array(t, n);
        void *a_ = copy(t, n, a);
        t->ops->activate_backward(activation, n, da, a, dz);
        t->ops->activate_backward(activation, n, da, a_, a_);
        t->ops->activate_backward(activation, n, da, a, da);
        require_same(t, n, dz, a_, "not the same in place of a");
        require_same(t, n, dz, da, "not the same in place of da");
        digest(t, n, dz);
    }
}

static void bias(context *t, int activation)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *b = numbers(t, cols, -2, 2), *z = numbers(t, rows * cols, -9, 9);
        void *expected = copy(t, rows * cols, z), *slope = slope_for(t, activation, rows * cols);
        void *expected_slope = slope_for(t, activation, rows * cols);
        t->ops->add_bias(activation, rows, cols, b, z, slope);
        t->ops->add_bias(DNN_IDENTITY, rows, cols, b, expected, NULL);
        t->ops->activate(activation, rows * cols, expected, expected, expected_slope);
        require_same(t, rows * cols, z, expected, "not the activation of the sum");
        if (slope) require_same(t, rows * cols, slope, expected_slope, "not the slope at the sum");
        digest(t, rows * cols, z);
    }
}

/* Largest relative error of sum_squares, and a margin for a sum in double in order. */
static double sum_error(const context *t, ptrdiff_t n)
{
    const ptrdiff_t lanes = DNN_LANE_BYTES / (ptrdiff_t)t->size;
    const ptrdiff_t depth = n < lanes ? n : n / lanes + 5;
    const double eps = t->size == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
    return (double)(depth + 1) / 2 * eps + (double)n * DBL_EPSILON;
}

static void sums(context *t, int squares)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *x = numbers(t, rows * cols, -2, 2), *out = array(t, cols);
        void *expected = numbers(t, cols, 0, 0);
        if (squares) {
            double sum = t->ops->sum_squares(rows * cols, x), exact = 0;
            for (ptrdiff_t i = 0; i < rows * cols; i++) exact += get(t, x, i) * get(t, x, i);
            require(t, fabs(sum - exact) <= sum_error(t, rows * cols) * exact, "not as ops.h says");
            digest_elements(t, 1, &sum, sizeof sum);
        } else {
            t->ops->column_sums(rows, cols, x, out);
            for (ptrdiff_t r = 0; r < rows; r++)
                t->ops->add_bias(DNN_IDENTITY, 1, cols, at(t, x, r * cols), expected, NULL);
            require_same(t, cols, out, expected, "not added in the order of the rows");
            digest(t, cols, out);
        }
    }
}

/* One number at a time is not finite; every length up to two turns of any loop and what is left. */
static void all_finite(context *t, int unused)
{
    (void)unused;
    const double other[] = {NAN, INFINITY, -INFINITY};
    for (ptrdiff_t n = 0; n <= 130; n++, release(t)) {
        void *x = numbers(t, n, -1, 1);
        require(t, t->ops->all_finite(n, x), "finite numbers");
        for (ptrdiff_t i = 0; i < n; i++) {
            for (int j = 0; j < COUNT(other); j++) {
                put(t, x, i, other[j]);
                require(t, !t->ops->all_finite(n, x), "NaN or infinity overlooked");
            }
            put(t, x, i, i % 3 ? largest(t) : -largest(t));
        }
        double finite = t->ops->all_finite(n, x);
        require(t, finite == 1, "the largest numbers");
        digest_elements(t, 1, &finite, sizeof finite);
    }
}

/* Indices go past 2^32. Two parts must not change a bit. */
static void dropout(context *t, int unused)
{
    (void)unused;
    static const struct {
        uint32_t below;
        double share;
    } drop[] = {{0, 0}, {(uint32_t)1 << 30, 0.25}, {(uint32_t)3 << 30, 0.75}, {UINT32_MAX, 1}};
    const double factor = 1.25; /* in double, the product with a float is exact */
    for (int s = 0; s < COUNT(COLS) + COUNT(drop); s++, release(t)) {
        ptrdiff_t n = s < COUNT(COLS) ? COLS[s] : 20000, dropped = 0;
        ptrdiff_t first = (ptrdiff_t)(s % 2 ? random_bits(t) >> 30 : UINT32_MAX - (uint64_t)n / 2);
        ptrdiff_t cut = *integers(t, 1, n + 1);
        const uint32_t key = (uint32_t)random_bits(t), below = drop[s % COUNT(drop)].below;
        void *x = numbers(t, n, 1, 2), *out = array(t, n), *parts = array(t, n);
        t->ops->dropout(key, below, factor, first, n, x, out);
        for (ptrdiff_t i = 0; i < n; i++) {
            double expected = get(t, out, i) == 0 ? 0 : get(t, x, i) * factor;
            require(t, get(t, out, i) == (t->size == sizeof(float) ? (float)expected : expected),
                    "neither 0 nor the product");
            dropped += expected == 0;
        }
        if (s >= COUNT(COLS))
            require(t, fabs((double)dropped / (double)n - drop[s % COUNT(drop)].share) < 0.02,
                    "not the share that is to be dropped");
        t->ops->dropout(key, below, factor, first + cut, n - cut, at(t, x, cut), at(t, parts, cut));
        t->ops->dropout(key, below, factor, first, cut, x, parts);
        require_same(t, n, out, parts, "not the same in two parts");
        t->ops->dropout(key, below, factor, first, n, x, x);
        require_same(t, n, out, x, "not the same in place");
        digest(t, n, out);
    }
}

#endif
