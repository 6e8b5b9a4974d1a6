/* Dropout, with random numbers determined by key and position. */
#ifndef DNN_DROPOUT_H
#define DNN_DROPOUT_H

#include "real.h"

/* A bijective hash of 32-bit integers ("lowbias32", C. Wellons 2018). The random number of `key`
 * and a position is hash(hash(position) + key). */
INLINE uint32_t hash(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352dU;
    x ^= x >> 15;
    x *= 0x846ca68bU;
    return x ^ x >> 16;
}

static void dropout(uint32_t key, uint32_t drop_below, double factor, ptrdiff_t first,
                    ptrdiff_t n, const void *x_, void *out_)
{
    assert(same_or_apart(n, x_, out_));
    const real *x = x_, times = (real)factor;
    real *out = out_;
    const uint32_t start = (uint32_t)first;
    ELEMENTWISE
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t random = hash(hash(start + (uint32_t)i) + key);
        out[i] = random < drop_below ? 0 : x[i] * times;
    }
}

#endif
