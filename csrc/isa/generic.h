/* The baseline instruction set of the compilation target. See ops/table.h for the definitions. */
#include "isa.h"
#include "ops/real.h"

#if REAL_IS_FLOAT
#define OPS dnn_generic_f32
#else
#define OPS dnn_generic_f64
#endif
#define VEC_BYTES 16
#define VEC_FMA generic_fma
#define TILE_ROWS 4
#define FOR_TILE_ROWS(X) X(1) X(2) X(3) X(4)

/* One multiply-add per lane, by the processor or by the C library. */
typedef real generic_vec __attribute__((vector_size(VEC_BYTES)));
INLINE generic_vec generic_fma(generic_vec a, generic_vec b, generic_vec c)
{
    for (int i = 0; i < VEC_BYTES / (int)sizeof(real); i++) c[i] = FMA(a[i], b[i], c[i]);
    return c;
}

#include "ops/table.h"
