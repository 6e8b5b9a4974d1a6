/* Matrix transposition. */
#ifndef DNN_TRANSPOSE_H
#define DNN_TRANSPOSE_H

#include "real.h"

/* Squares of SQUARE rows and columns are transposed in 16-byte registers. */
enum { SQUARE = 16 / sizeof(real) };
typedef real square_row __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef bits_t square_index __attribute__((vector_size(16)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (square_index){__VA_ARGS__})
#endif

INLINE void transpose_square(const real *x, ptrdiff_t ld, real *out, ptrdiff_t ld_out)
{
    typedef square_row row;
    row a = *(const row *)x, b = *(const row *)(x + ld);
#if REAL_IS_FLOAT
    row c = *(const row *)(x + 2 * ld), d = *(const row *)(x + 3 * ld);
    row ac_low = SHUFFLE(a, c, 0, 4, 1, 5), ac_high = SHUFFLE(a, c, 2, 6, 3, 7);
    row bd_low = SHUFFLE(b, d, 0, 4, 1, 5), bd_high = SHUFFLE(b, d, 2, 6, 3, 7);
    *(row *)out = SHUFFLE(ac_low, bd_low, 0, 4, 1, 5);
    *(row *)(out + ld_out) = SHUFFLE(ac_low, bd_low, 2, 6, 3, 7);
    *(row *)(out + 2 * ld_out) = SHUFFLE(ac_high, bd_high, 0, 4, 1, 5);
    *(row *)(out + 3 * ld_out) = SHUFFLE(ac_high, bd_high, 2, 6, 3, 7);
#else
    *(row *)out = SHUFFLE(a, b, 0, 2);
    *(row *)(out + ld_out) = SHUFFLE(a, b, 1, 3);
#endif
}

/* out[c, r] = x[r, c]; the leading dimensions of x and out are ld and ld_out. */
static void transpose(ptrdiff_t rows, ptrdiff_t cols, const real *x, ptrdiff_t ld, real *out,
                      ptrdiff_t ld_out)
{
    ptrdiff_t r = 0;
    for (; r + SQUARE <= rows; r += SQUARE) {
        ptrdiff_t c = 0;
        for (; c + SQUARE <= cols; c += SQUARE)
            transpose_square(x + r * ld + c, ld, out + c * ld_out + r, ld_out);
        for (; c < cols; c++)
            for (int i = 0; i < SQUARE; i++) out[c * ld_out + r + i] = x[(r + i) * ld + c];
    }
    for (; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c++) out[c * ld_out + r] = x[r * ld + c];
}

#endif
