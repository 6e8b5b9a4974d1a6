#include "isa.h"

const dnn_isa *dnn_isa_available(int i)
{
    const dnn_isa *found[3];
    int n = 0;
#ifdef DNN_X86
    /* The compiler's check includes that the operating system saves the registers. */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        found[n++] = &dnn_isa_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found[n++] = &dnn_isa_avx2;
#elif defined(DNN_ARM64)
    found[n++] = &dnn_isa_neon;
#endif
    found[n++] = &dnn_isa_generic;
    return i < n ? found[i] : NULL;
}
