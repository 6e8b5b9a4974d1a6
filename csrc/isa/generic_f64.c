#define REAL_IS_FLOAT 0
#include "generic.h"
