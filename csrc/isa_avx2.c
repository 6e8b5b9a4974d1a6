/* x86-64 with AVX2 and FMA (Haswell, Zen and later). */
#include "isa.h"

#ifdef DNN_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define ISA_SYMBOL dnn_isa_avx2
#define ISA_NAME "avx2"
#define ISA_AVX2
#include "ops_isa.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
