/* The instruction sets, and the operations compiled for each. */
#ifndef DNN_ISA_H
#define DNN_ISA_H

#include "ops.h"

#if defined(__x86_64__) || defined(__i386__)
#define DNN_X86 1
extern const dnn_ops dnn_avx512_f32, dnn_avx512_f64, dnn_avx2_f32, dnn_avx2_f64;
#elif defined(__aarch64__)
#define DNN_ARM64 1
extern const dnn_ops dnn_neon_f32, dnn_neon_f64;
#endif
extern const dnn_ops dnn_generic_f32, dnn_generic_f64;

#endif
