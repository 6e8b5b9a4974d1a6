/* Softmax and losses. */
#ifndef LOSSES_H
#define LOSSES_H

#include "context.h"

/* Every second matrix has logits whose difference overflows. */
static void *logits(context *t, ptrdiff_t n, int s)
{
    void *z = numbers(t, n, -20, 20);
    if (n && s % 2) put(t, z, 0, largest(t)), put(t, z, n - 1, -largest(t));
    return z;
}

static void softmax(context *t, int log)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *z = logits(t, rows * cols, s), *out = array(t, rows * cols);
        void *each = copy(t, rows * cols, z);
        void (*f)(ptrdiff_t, ptrdiff_t, const void *, void *) =
            log ? t->ops->log_softmax : t->ops->softmax;
        f(rows, cols, z, out);
        f(rows, cols, z, z);
        for (ptrdiff_t r = 0; r < rows; r++)
            f(1, cols, at(t, each, r * cols), at(t, each, r * cols));
        require_same(t, rows * cols, out, z, "not the same in place");
        require_same(t, rows * cols, out, each, "not the same row by row");
        digest(t, rows * cols, out);
    }
}

static void softmax_backward(context *t, int unused)
{
    (void)unused;
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        void *dp = numbers(t, rows * cols, -2, 2), *p = numbers(t, rows * cols, 0, 1);
        void *dz = array(t, rows * cols);
        t->ops->softmax_backward(rows, cols, dp, p, dz);
        digest(t, rows * cols, dz);
    }
}

static void sort_rows(context *t, int unused)
{
    (void)unused;
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s, &rows, &cols); s++, release(t)) {
        const ptrdiff_t size = rows * cols;
        void *x = logits(t, size, s), *out = array(t, size);
        t->ops->sort_rows(rows, cols, x, out);
        t->ops->sort_rows(rows, cols, x, x);
        require_same(t, size, out, x, "not the same in place");
        for (ptrdiff_t i = 0; i + 1 < size; i++)
            require(t, i % cols == cols - 1 || get(t, out, i) <= get(t, out, i + 1), "not sorted");
        digest(t, size, out);
        void *dout = numbers(t, size, -2, 2);
        t->ops->sort_rows_backward(rows, cols, dout, x, out);
        require_same(t, size, dout, out, "not in order where x is sorted");
    }
}

enum { LOSS, LOSS_BACKWARD, LOSS_OF_LOGITS };

/* x: probabilities or logits. Row r of the arrays and those that follow. */
static void call_cross_entropy(context *t, int which, ptrdiff_t r, ptrdiff_t rows, ptrdiff_t cols,
                               void *x, const ptrdiff_t *label, void *L, void *weight, double *loss,
                               void *d)
{
    x = at(t, x, r * cols), d = at(t, d, r * cols), loss += r;
    if (label) label += r;
    if (L) L = at(t, L, r * cols);
    if (weight) weight = at(t, weight, r);
    if (which == LOSS_OF_LOGITS)
        t->ops->softmax_cross_entropy(rows, cols, x, label, L, 0.125, weight, loss, d);
    else if (which == LOSS_BACKWARD)
        t->ops->cross_entropy_backward(rows, cols, x, label, L, 0.125, weight, d);
    else
        t->ops->cross_entropy(rows, cols, x, label, L, 0.125, weight, loss);
}

/* With integer labels and with label rows in turn, and in turn with weights. Row by row and in
 * place there must be the same bits. */
static void cross_entropy(context *t, int which)
{
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s / 4, &rows, &cols); s++, release(t)) {
        const ptrdiff_t size = rows * cols;
        ptrdiff_t *label = s & 1 ? integers(t, rows, cols) : NULL;
        void *L = s & 1 ? NULL : numbers(t, size, 0, 1);
        void *weight = s & 2 ? numbers(t, rows, 0, 2) : NULL;
        void *x = which == LOSS_OF_LOGITS ? logits(t, size, s / 4) : numbers(t, size, 0, 1);
        double *loss = allocate(t, rows, sizeof *loss), *loss_ = allocate(t, rows, sizeof *loss_);
        if (rows && which != LOSS_OF_LOGITS) put(t, x, 0, 0);
        void *d = array(t, size), *d_ = copy(t, size, x);
        call_cross_entropy(t, which, 0, rows, cols, x, label, L, weight, loss, d);
        for (ptrdiff_t r = 0; r < rows; r++)
            call_cross_entropy(t, which, r, 1, cols, d_, label, L, weight, loss_, d_);
        if (which != LOSS_BACKWARD) {
            require(t, !memcmp(loss, loss_, (size_t)rows * sizeof *loss), "not the loss by rows");
            digest_elements(t, rows, loss, sizeof *loss);
        }
        if (which != LOSS) {
            require_same(t, size, d, d_, "not the same row by row");
            digest(t, size, d);
        }
    }
}

/* In turn with weights, of which the last is 0. Row by row and in place there must be the same
 * bits. Losses are not negative, so that their sum in double is off by at most `cols` epsilons. */
static void elementwise_loss(context *t, int loss)
{
    const double delta = 5, scale = 0.125;
    ptrdiff_t rows, cols;
    for (int s = 0; matrix_shape(s / 2, &rows, &cols); s++, release(t)) {
        const ptrdiff_t size = rows * cols;
        void *z = logits(t, size, s / 2), *Y = numbers(t, size, 0, 1);
        void *weight = s & 1 ? numbers(t, rows, 0, 2) : NULL;
        void *dz = array(t, size), *dz_ = copy(t, size, z);
        void *d = array(t, size), *expected = array(t, size);
        double *out = allocate(t, rows, sizeof *out), *out_ = allocate(t, rows, sizeof *out_);
        double *losses = allocate(t, size, sizeof *losses);
        if (weight && rows) put(t, weight, rows - 1, 0);
        for (ptrdiff_t i = 0; i < size; i += 3) put(t, Y, i, i % 2);
        double *levels = allocate(t, size, sizeof *levels); /* of all rows */
        for (ptrdiff_t i = 0; i < size; i++) levels[i] = (double)(i % cols + 1) / (double)(cols + 1);
        const double *parameters = loss == DNN_QUANTILE ? levels : &delta;
        for (ptrdiff_t i = 0; i < size; i++)
            t->ops->elementwise_loss(loss, loss == DNN_QUANTILE ? levels + i : &delta, 1, 1,
                                     at(t, z, i), at(t, Y, i), 1, NULL, losses + i, at(t, d, i));
        t->ops->elementwise_loss(loss, parameters, rows, cols, z, Y, scale, weight, out, dz);
        for (ptrdiff_t r = 0; r < rows; r++) {
            void *row = at(t, dz_, r * cols);
            t->ops->elementwise_loss(loss, parameters, 1, cols, row, at(t, Y, r * cols), scale,
                                     weight ? at(t, weight, r) : NULL, out_ + r, row);
            const double factor = weight ? scale * get(t, weight, r) : scale;
            const double rounded = t->size == sizeof(float) ? (float)factor : factor;
            double sum = 0;
            for (ptrdiff_t i = r * cols; i < (r + 1) * cols; i++) {
                sum += losses[i];
                put(t, expected, i, rounded * get(t, d, i));
            }
            sum = factor == 0 ? 0 : factor * sum;
            require(t, out[r] == sum || fabs(out[r] - sum) <= (double)cols * DBL_EPSILON * sum,
                    "not the sum over the outputs");
            require(t, t->size != sizeof(float) || isfinite(out[r]), "infinite, though in double");
        }
        require_same(t, size, dz, expected, "not the residual times the factor");
        require(t, !memcmp(out, out_, (size_t)rows * sizeof *out), "not the loss by rows");
        require_same(t, size, dz, dz_, "not the same row by row");
        digest_elements(t, rows, out, sizeof *out);
        digest(t, size, dz);
    }
}

#endif
