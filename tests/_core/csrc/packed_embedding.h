/* The piecewise-linear embedding of numbers, packed for single rows. */
#ifndef PACKED_EMBEDDING_H
#define PACKED_EMBEDDING_H

#include "context.h"

/* Its bits are those of embed, which is checked here. */
static void embed_packed(context *t, int unused)
{
    (void)unused;
    static const ptrdiff_t NUMBERS[] = {0, 1, 7, 8, 9, 15, 16, 17, 33}, BINS[] = {1, 5, 16, 32, 45};
    for (int s = 0; s < COUNT(NUMBERS) * COUNT(BINS); s++, release(t)) {
        const ptrdiff_t n = s % 70, numeric = NUMBERS[s % COUNT(NUMBERS)];
        const ptrdiff_t bins = BINS[s % COUNT(BINS)], size = 1 + s % 6, rest = numeric ? s % 3 : 2;
        const ptrdiff_t m = numeric * (1 + size) + rest;
        void *lower = numbers(t, numeric * bins, -1, 1), *width = numbers(t, numeric * bins, 0, 9);
        const dnn_embedding of = {numeric + rest, numeric, bins, size, lower, width};
        void *x = numbers(t, n * of.n_inputs, -2, 2), *scale = numbers(t, m, -1, 1);
        void *V = numbers(t, numeric * size * bins, -1, 1), *c = numbers(t, numeric * size, -1, 1);
        void *out = array(t, n * m), *expected = array(t, n * m);
        void *packed = array(t, t->ops->packed_embedding(&of));
        t->ops->pack_embedding(&of, V, c, packed);
        t->ops->embed_packed(&of, n, x, scale, packed, out);
        t->ops->embed(&of, n, x, scale, V, c, expected);
        require_same(t, n * m, out, expected, "not embed");
        digest(t, n * m, out);
    }
}

#endif
