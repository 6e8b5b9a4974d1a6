/* 64-bit Arm, where NEON with fused multiply-add is always there. */
#include "isa.h"

#ifdef DNN_ARM64
#define ISA_SYMBOL dnn_isa_neon
#define ISA_NAME "neon"
#define ISA_NEON
#include "ops_isa.h"
#endif
