/* Defines `const dnn_isa ISA_SYMBOL` for the instruction set that the including file has
 * switched on. The including file defines ISA_SYMBOL and ISA_NAME. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "isa.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#if defined(__clang__)
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define ELEMENTWISE _Pragma("GCC ivdep")
#endif

/* How much of the rows to come is fetched while rows are gathered. */
enum { FETCH_BYTES = 8192 };

#include "simd.h"

#define REAL_IS_FLOAT 1
#include "ops_template.h"
#undef REAL_IS_FLOAT
#define REAL_IS_FLOAT 0
#include "ops_template.h"

const dnn_isa ISA_SYMBOL = {.name = ISA_NAME, .f32 = ops_f32, .f64 = ops_f64};
