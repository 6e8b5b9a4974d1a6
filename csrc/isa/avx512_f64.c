#define REAL_IS_FLOAT 0
#include "avx512.h"
