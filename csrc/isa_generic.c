/* What the compiler may assume of every processor of the target. */
#define ISA_SYMBOL dnn_isa_generic
#define ISA_NAME "generic"
#include "ops_isa.h"
