/* x86-64 with AVX2 and FMA (Haswell, Zen and later). See ops/table.h for the definitions. PREFETCHW
 * does nothing on the processors of this kind that lack it. */
#include "isa.h"

#ifdef DNN_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,prfchw")
#endif
#include <immintrin.h>

#if REAL_IS_FLOAT
#define OPS dnn_avx2_f32
#define VEC_FMA _mm256_fmadd_ps
#define SQUARES(x, step) (squares) _mm256_loadu2_m128((x) + (step), x)
#define INTERLEAVE_LOW(a, b) (squares) _mm256_unpacklo_ps(a, b)
#define INTERLEAVE_HIGH(a, b) (squares) _mm256_unpackhi_ps(a, b)
#else
#define OPS dnn_avx2_f64
#define VEC_FMA _mm256_fmadd_pd
#define SQUARES(x, step) (squares) _mm256_loadu2_m128d((x) + (step), x)
#define INTERLEAVE_LOW(a, b) (squares) _mm256_unpacklo_pd(a, b)
#define INTERLEAVE_HIGH(a, b) (squares) _mm256_unpackhi_pd(a, b)
#endif
#define VEC_BYTES 32
#define TILE_ROWS 6 /* 12 of 16 registers hold sums */
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)

#include "ops/table.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
