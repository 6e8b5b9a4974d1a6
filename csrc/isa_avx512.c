/* x86-64 with AVX-512 F, DQ, BW and VL (Skylake-SP, Zen 4 and later). */
#include "isa.h"

#ifdef DNN_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")
#endif

#define ISA_SYMBOL dnn_isa_avx512
#define ISA_NAME "avx512"
#define ISA_AVX512
#include "ops_isa.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
