/* `real`, the type of this translation unit: float where REAL_IS_FLOAT is 1, double where it is 0.
 *
 * Loops over it are plain C that compilers vectorise: no branches, no calls but fma and sqrt, and
 * no dependence on the register width. Functions are static, and get their constants by being
 * inlined. Those of ops.h take `void *`, because both types share its table.
 */
#ifndef DNN_REAL_H
#define DNN_REAL_H

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "../ops.h"

#if REAL_IS_FLOAT
typedef float real;
typedef uint32_t bits_t;
#define FMA __builtin_fmaf
#define SQRT __builtin_sqrtf
#define FABS __builtin_fabsf
#define COPYSIGN __builtin_copysignf
#define REAL_MAX FLT_MAX
#define REAL_TINY FLT_MIN
#define REAL(x) x##f
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#else
typedef double real;
typedef uint64_t bits_t;
#define FMA __builtin_fma
#define SQRT __builtin_sqrt
#define FABS __builtin_fabs
#define COPYSIGN __builtin_copysign
#define REAL_MAX DBL_MAX
#define REAL_TINY DBL_MIN
#define REAL(x) x
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#endif

#define INLINE static inline __attribute__((always_inline))

/* ELEMENTWISE promises that iterations are independent, which holds because an output is either
 * its input or apart from it. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define ELEMENTWISE _Pragma("GCC ivdep")
#endif

enum {
    LANES = DNN_LANE_BYTES / sizeof(real),
    /* Elements treated together, so that the passes over them stay in the L1 cache. */
    BLOCK = 2048,
};

/* Rows that make up a block: as many as fit, or one that does not. */
INLINE ptrdiff_t rows_in_block(ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t fit = cols < BLOCK ? BLOCK / cols : 1;
    return rows < fit ? rows : fit;
}

INLINE bits_t to_bits(real x)
{
    bits_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

INLINE real from_bits(bits_t b)
{
    real x;
    memcpy(&x, &b, sizeof x);
    return x;
}

/* What ops.h asks of an input x and an output out of n numbers: for assert. */
INLINE int same_or_apart(ptrdiff_t n, const void *x, const void *out)
{
    const uintptr_t a = (uintptr_t)x, b = (uintptr_t)out, size = (uintptr_t)n * sizeof(real);
    const int aligned = a % _Alignof(real) == 0 && b % _Alignof(real) == 0;
    return n == 0 || (n > 0 && aligned && (a == b || a + size <= b || b + size <= a));
}

#endif
