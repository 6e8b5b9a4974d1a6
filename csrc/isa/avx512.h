/* x86-64 with AVX-512 F, DQ, BW and VL (Skylake-SP, Zen 4 and later). See ops/table.h for the
 * definitions. */
#include "isa.h"

#ifdef DNN_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw,avx512f,avx512dq,avx512bw,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma,prfchw,avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")
#endif
#include <immintrin.h>

#if REAL_IS_FLOAT
#define OPS dnn_avx512_f32
#define VEC_FMA _mm512_fmadd_ps
#define HALF_FMA _mm256_fmadd_ps
#define SQUARES(x, step) \
    (squares) _mm512_insertf32x4( \
        _mm512_insertf32x4( \
            _mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(x)), _mm_loadu_ps((x) + (step)), 1), \
            _mm_loadu_ps((x) + 2 * (step)), 2), \
        _mm_loadu_ps((x) + 3 * (step)), 3)
#define INTERLEAVE_LOW(a, b) (squares) _mm512_unpacklo_ps(a, b)
#define INTERLEAVE_HIGH(a, b) (squares) _mm512_unpackhi_ps(a, b)
#else
#define OPS dnn_avx512_f64
#define VEC_FMA _mm512_fmadd_pd
#define HALF_FMA _mm256_fmadd_pd
#define SQUARES(x, step) \
    (squares) _mm512_insertf64x2( \
        _mm512_insertf64x2( \
            _mm512_insertf64x2(_mm512_castpd128_pd512(_mm_loadu_pd(x)), _mm_loadu_pd((x) + (step)), 1), \
            _mm_loadu_pd((x) + 2 * (step)), 2), \
        _mm_loadu_pd((x) + 3 * (step)), 3)
#define INTERLEAVE_LOW(a, b) (squares) _mm512_unpacklo_pd(a, b)
#define INTERLEAVE_HIGH(a, b) (squares) _mm512_unpackhi_pd(a, b)
#endif
#define VEC_BYTES 64
#define HALF_BYTES 32 /* half the work on processors that split 512-bit operations (Zen 4) */
#define TILE_ROWS 8   /* more rows would need more address registers than there are */
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

#include "ops/table.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
