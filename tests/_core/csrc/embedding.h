/* The piecewise-linear embedding of numbers: forward, delta and gradient. */
#ifndef EMBEDDING_H
#define EMBEDDING_H

#include "context.h"

enum { EMBED, EMBED_DELTA, EMBED_GRADIENT };

/* n, n_numeric, other inputs, n_bins, size: astride the width of vectors and the number of rows,
 * bins and sums that are treated together. */
static const ptrdiff_t EMBEDDINGS[][5] = {
    {0, 2, 1, 3, 2},   {1, 1, 0, 1, 1},   {1, 17, 3, 16, 3}, {2, 0, 5, 4, 3},    {7, 3, 0, 7, 2},
    {8, 3, 2, 8, 3},   {9, 2, 17, 9, 4},  {15, 4, 1, 15, 5}, {16, 1, 9, 16, 8},  {17, 2, 2, 17, 1},
    {63, 3, 1, 31, 3}, {64, 2, 4, 16, 3}, {65, 5, 0, 33, 9}, {130, 2, 33, 24, 4},
};

static void gradients(context *t, const dnn_embedding *of, ptrdiff_t n, const void *dout,
                          const void *x, const void *s, const void *V, const void *c)
{
    const ptrdiff_t m = of->n_numeric * of->size + of->n_inputs, outputs = of->n_numeric * of->size;
    void *ds = array(t, m), *dV = array(t, outputs * of->n_bins), *dc = array(t, outputs);
    void *part[3] = {array(t, m), array(t, outputs * of->n_bins), array(t, outputs)};
    t->ops->embed_gradient(of, n, 0, of->n_numeric, dout, x, s, V, c, ds, dV, dc);
    t->ops->embed_gradient(of, n, of->n_numeric, of->n_inputs, dout, x, s, V, c, ds, dV, dc);
    for (ptrdiff_t i = 0; i < of->n_inputs; i++)
        t->ops->embed_gradient(of, n, i, i + 1, dout, x, s, V, c, part[0], part[1], part[2]);
    require_same(t, m, ds, part[0], "ds depends on the division of the inputs");
    require_same(t, outputs * of->n_bins, dV, part[1], "dV depends on the division of the inputs");
    require_same(t, outputs, dc, part[2], "dc depends on the division of the inputs");
    digest(t, m, ds);
    digest(t, outputs * of->n_bins, dV);
    digest(t, outputs, dc);
}

static void embedding(context *t, int variant)
{
    for (int e = 0; e < COUNT(EMBEDDINGS); e++, release(t)) {
        const ptrdiff_t n = EMBEDDINGS[e][0], n_numeric = EMBEDDINGS[e][1];
        const ptrdiff_t k = n_numeric + EMBEDDINGS[e][2], n_bins = EMBEDDINGS[e][3];
        const ptrdiff_t size = EMBEDDINGS[e][4], m = n_numeric * size + k;
        void *x = numbers(t, n * k, -3, 3), *s = numbers(t, m, -1, 1);
        void *lower = numbers(t, n_numeric * n_bins, -2, 2);
        void *inverse_width = numbers(t, n_numeric * n_bins, 0, 4);
        void *V = numbers(t, n_numeric * size * n_bins, -1, 1);
        void *c = numbers(t, n_numeric * size, -1, 1);
        void *dout = numbers(t, n * m, -1, 1), *out = array(t, n * m), *dx = array(t, n * k);
        const dnn_embedding of = {k, n_numeric, n_bins, size, lower, inverse_width};
        if (n_numeric) put(t, inverse_width, 0, 0);
        switch (variant) {
        case EMBED:
            t->ops->embed(&of, n, x, s, V, c, out);
            digest(t, n * m, out);
            break;
        case EMBED_DELTA:
            t->ops->embed_delta(&of, n, dout, x, s, V, dx);
            digest(t, n * k, dx);
            break;
        case EMBED_GRADIENT: gradients(t, &of, n, dout, x, s, V, c); break;
        }
    }
}

#endif
