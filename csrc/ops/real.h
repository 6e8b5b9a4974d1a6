/* `real`, the type of this translation unit: float if REAL_IS_FLOAT is 1, double if it is 0.
 *
 * Loops over `real` are plain C that compilers vectorise: without branches, without calls except
 * fma and sqrt, and independent of the register width. Functions are static; arguments called
 * constants are constants after inlining. The functions of ops.h take `void *`, because both types
 * share its table.
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

/* ELEMENTWISE asserts that iterations are independent, which holds because outputs are identical to
 * an input or do not overlap it. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define ELEMENTWISE _Pragma("GCC ivdep")
#endif

enum {
    LANES = DNN_LANE_BYTES / sizeof(real),
    /* Elements processed together, so that they stay in the L1 cache between passes. */
    BLOCK = 2048,
};

/* Number of rows in a block: all that fit, but at least one. */
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

/* Whether an input x and an output out of n elements satisfy the conventions of ops.h. */
INLINE int same_or_apart(ptrdiff_t n, const void *x, const void *out)
{
    const uintptr_t a = (uintptr_t)x, b = (uintptr_t)out, size = (uintptr_t)n * sizeof(real);
    const int aligned = a % _Alignof(real) == 0 && b % _Alignof(real) == 0;
    return n == 0 || (n > 0 && aligned && (a == b || a + size <= b || b + size <= a));
}

#endif
