#define REAL_IS_FLOAT 1
#include "avx2.h"
