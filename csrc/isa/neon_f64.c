#define REAL_IS_FLOAT 0
#include "neon.h"
