/* fma and fmaf of the C library of Windows, which the generic instruction set calls. They replace
 * those of MinGW-w64, which round twice. */
#ifdef _WIN32
#include <math.h>
#include <windows.h>

static double (*fma_of_library)(double, double, double);
static float (*fmaf_of_library)(float, float, float);

__attribute__((constructor)) static void find_library(void)
{
    HMODULE library = LoadLibraryA("ucrtbase.dll"); /* that of Python, and part of Windows */
    fma_of_library = (void *)GetProcAddress(library, "fma");
    fmaf_of_library = (void *)GetProcAddress(library, "fmaf");
}

double fma(double x, double y, double z)
{
    return fma_of_library(x, y, z);
}

float fmaf(float x, float y, float z)
{
    return fmaf_of_library(x, y, z);
}
#endif
