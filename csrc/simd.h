/* What the matrix products need of an instruction set: the bytes of a vector register, a
 * multiply-add of vectors, and how many rows of a tile the registers hold. */

#if defined(ISA_AVX512)
#include <immintrin.h>
#define VEC_BYTES 64
#define TILE_ROWS 8 /* more rows would need more addresses than there are registers */
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define vec_fma_f32 _mm512_fmadd_ps
#define vec_fma_f64 _mm512_fmadd_pd
/* Half a register, for the last columns: half the work where 512 bits take two turns (Zen 4). */
#define HALF_BYTES 32
#define half_fma_f32 _mm256_fmadd_ps
#define half_fma_f64 _mm256_fmadd_pd

#elif defined(ISA_AVX2)
#include <immintrin.h>
#define VEC_BYTES 32
#define TILE_ROWS 6 /* 12 of 16 registers are sums */
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define vec_fma_f32 _mm256_fmadd_ps
#define vec_fma_f64 _mm256_fmadd_pd

#elif defined(ISA_NEON)
#include <arm_neon.h>
#define VEC_BYTES 16
#define TILE_ROWS 8 /* 16 of 32 registers are sums; GCC loads all factors first, 8 more */
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define vec_fma_f32(a, b, c) vfmaq_f32(c, a, b)
#define vec_fma_f64(a, b, c) vfmaq_f64(c, a, b)

#else
/* One multiply-add a lane, by the processor or by the C library. */
#define VEC_BYTES 16
#define TILE_ROWS 4
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4)
typedef float generic_f32 __attribute__((vector_size(VEC_BYTES)));
typedef double generic_f64 __attribute__((vector_size(VEC_BYTES)));
INLINE generic_f32 vec_fma_f32(generic_f32 a, generic_f32 b, generic_f32 c)
{
    for (int i = 0; i < VEC_BYTES / 4; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
}
INLINE generic_f64 vec_fma_f64(generic_f64 a, generic_f64 b, generic_f64 c)
{
    for (int i = 0; i < VEC_BYTES / 8; i++) c[i] = __builtin_fma(a[i], b[i], c[i]);
    return c;
}
#endif
