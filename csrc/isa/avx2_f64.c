#define REAL_IS_FLOAT 0
#include "avx2.h"
