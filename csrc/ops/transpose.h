/* Matrix transposition. */
#ifndef DNN_TRANSPOSE_H
#define DNN_TRANSPOSE_H

#include "real.h"

/* Squares of SQUARE rows and columns are transposed in the 16-byte parts of vector registers: as
 * many squares at a time, one below the other, as a register has such parts. The instruction sets
 * with wider registers define
 *   SQUARES(x, step)       a vector of the first 16 bytes of x, x + step, x + 2 step, ...
 *   INTERLEAVE_LOW(a, b)   a_0 b_0 a_1 b_1 ... of the lower half of each part, and
 *   INTERLEAVE_HIGH(a, b)  the same of its upper half. */
enum {
    SQUARE = 16 / sizeof(real),
#ifdef SQUARES
    SQUARES_BYTES = VEC_BYTES,
#else
    SQUARES_BYTES = 16,
#endif
    SQUARES_ROWS = SQUARES_BYTES / sizeof(real),
};
typedef real squares __attribute__((vector_size(SQUARES_BYTES), aligned(sizeof(real)), may_alias));

#ifndef SQUARES
#define SQUARES(x, step) *(const squares *)(x)
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef bits_t square_index __attribute__((vector_size(16)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (square_index){__VA_ARGS__})
#endif
#if REAL_IS_FLOAT
#define INTERLEAVE_LOW(a, b) SHUFFLE(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) SHUFFLE(a, b, 2, 6, 3, 7)
#else
#define INTERLEAVE_LOW(a, b) SHUFFLE(a, b, 0, 2)
#define INTERLEAVE_HIGH(a, b) SHUFFLE(a, b, 1, 3)
#endif
#endif

/* out[c, r] = x[r, c] for r < SQUARES_ROWS, c < SQUARE. */
INLINE void transpose_squares(const real *x, ptrdiff_t ld, real *out, ptrdiff_t ld_out)
{
    const squares a = SQUARES(x, SQUARE * ld), b = SQUARES(x + ld, SQUARE * ld);
#if REAL_IS_FLOAT
    const squares c = SQUARES(x + 2 * ld, SQUARE * ld), d = SQUARES(x + 3 * ld, SQUARE * ld);
    const squares ac_low = INTERLEAVE_LOW(a, c), ac_high = INTERLEAVE_HIGH(a, c);
    const squares bd_low = INTERLEAVE_LOW(b, d), bd_high = INTERLEAVE_HIGH(b, d);
    *(squares *)out = INTERLEAVE_LOW(ac_low, bd_low);
    *(squares *)(out + ld_out) = INTERLEAVE_HIGH(ac_low, bd_low);
    *(squares *)(out + 2 * ld_out) = INTERLEAVE_LOW(ac_high, bd_high);
    *(squares *)(out + 3 * ld_out) = INTERLEAVE_HIGH(ac_high, bd_high);
#else
    *(squares *)out = INTERLEAVE_LOW(a, b);
    *(squares *)(out + ld_out) = INTERLEAVE_HIGH(a, b);
#endif
}

/* out[c, r] = x[r, c]; the leading dimensions of x and out are ld and ld_out. */
static void transpose(ptrdiff_t rows, ptrdiff_t cols, const real *x, ptrdiff_t ld, real *out,
                      ptrdiff_t ld_out)
{
    ptrdiff_t r = 0;
    for (; r + SQUARES_ROWS <= rows; r += SQUARES_ROWS) {
        ptrdiff_t c = 0;
        for (; c + SQUARE <= cols; c += SQUARE)
            transpose_squares(x + r * ld + c, ld, out + c * ld_out + r, ld_out);
        for (; c < cols; c++)
            for (int i = 0; i < SQUARES_ROWS; i++) out[c * ld_out + r + i] = x[(r + i) * ld + c];
    }
    for (; r < rows; r++)
        for (ptrdiff_t c = 0; c < cols; c++) out[c * ld_out + r] = x[r * ld + c];
}

#endif
