/* All operations of ops.h, for one type `real`. Included by ops_isa.h once with
 * REAL_IS_FLOAT 1 and once with 0; NAME(x) gives each copy its own names.
 *
 * Loops are plain C that compilers vectorise: no branches, no calls but fma and sqrt,
 * and no dependence on the register width. ELEMENTWISE promises that iterations are
 * independent, which holds because an output is either its input or apart from it.
 */

#if REAL_IS_FLOAT
#define real float
#define bits_t uint32_t
#define NAME(x) x##_f32
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
#define real double
#define bits_t uint64_t
#define NAME(x) x##_f64
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

enum {
    NAME(LANES) = DNN_LANE_BYTES / sizeof(real),
    /* Elements treated together, so that the passes over them stay in the L1 cache. */
    NAME(BLOCK) = 2048,
};
#define LANES NAME(LANES)
#define BLOCK NAME(BLOCK)

INLINE bits_t NAME(to_bits)(real x)
{
    bits_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

INLINE real NAME(from_bits)(bits_t b)
{
    real x;
    memcpy(&x, &b, sizeof x);
    return x;
}

#include "exp_log_template.h"
#include "activations_template.h"
#include "reductions_template.h"
#include "norm_template.h"
#include "moments_template.h"
#include "softmax_template.h"
#include "losses_template.h"
#include "update_template.h"
#include "matmul_template.h"
#include "packed_template.h"

#undef real
#undef bits_t
#undef NAME
#undef FMA
#undef SQRT
#undef FABS
#undef COPYSIGN
#undef REAL_MAX
#undef REAL_TINY
#undef REAL
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef LANES
#undef BLOCK
#undef SQUARE
#undef FOR_ACTIVATION
#undef VEC_LANES
#undef TILE_COLS
#undef KINDS
#undef OF_KIND
#undef IN_PLACE
#undef PACKED
#undef FEW_TILES
#undef COPY_FACTORS
