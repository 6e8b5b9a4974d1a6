#include "isa.h"

#ifdef DNN_X86
static const dnn_isa avx512 = {"avx512", &dnn_avx512_f32, &dnn_avx512_f64};
static const dnn_isa avx2 = {"avx2", &dnn_avx2_f32, &dnn_avx2_f64};
#elif defined(DNN_ARM64)
static const dnn_isa neon = {"neon", &dnn_neon_f32, &dnn_neon_f64};
#endif
static const dnn_isa generic = {"generic", &dnn_generic_f32, &dnn_generic_f64};

const dnn_isa *dnn_isa_available(int i)
{
    const dnn_isa *found[3];
    int n = 0;
#ifdef DNN_X86
    /* This also checks that the operating system saves the registers. */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        found[n++] = &avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found[n++] = &avx2;
#elif defined(DNN_ARM64)
    found[n++] = &neon;
#endif
    found[n++] = &generic;
    return i < n ? found[i] : NULL;
}
