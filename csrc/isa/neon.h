/* 64-bit Arm, where NEON with fused multiply-add is always available. See ops/table.h for the
 * definitions. */
#include "isa.h"

#ifdef DNN_ARM64
#include <arm_neon.h>

#if REAL_IS_FLOAT
#define OPS dnn_neon_f32
#define VEC_FMA(a, b, c) vfmaq_f32(c, a, b)
#else
#define OPS dnn_neon_f64
#define VEC_FMA(a, b, c) vfmaq_f64(c, a, b)
#endif
#define VEC_BYTES 16
#define TILE_ROWS 8 /* 16 of 32 registers hold sums; GCC loads all 8 factors first */
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

#include "ops/table.h"
#endif
