/* The instruction sets that are compiled in, one file each (isa_*.c). */
#ifndef DNN_ISA_H
#define DNN_ISA_H

#include "ops.h"

#if defined(__x86_64__) || defined(__i386__)
#define DNN_X86 1
extern const dnn_isa dnn_isa_avx512, dnn_isa_avx2;
#elif defined(__aarch64__)
#define DNN_ARM64 1
extern const dnn_isa dnn_isa_neon;
#endif
extern const dnn_isa dnn_isa_generic;

#endif
