"""BLAS on row-major matrices, with scalars passed by value, for float and double.

A row-major matrix is the transpose of the column-major matrix in the same memory, so
C = A B is computed as C^T = B^T A^T. A leading dimension `ld` is the distance between
consecutive rows, in elements. A single row is passed to gemv, which does not pack the matrix.

The functions are those of SciPy, which is loaded when they are first needed: neither scoring nor
dnncore's own matrix products need it.
"""

from .csrc cimport real


ctypedef struct Blas:
    void (*sgemm)(char* ta, char* tb, int* m, int* n, int* k, float* alpha, float* a, int* lda,
                  float* b, int* ldb, float* beta, float* c, int* ldc) noexcept nogil
    void (*dgemm)(char* ta, char* tb, int* m, int* n, int* k, double* alpha, double* a, int* lda,
                  double* b, int* ldb, double* beta, double* c, int* ldc) noexcept nogil
    void (*sgemv)(char* t, int* m, int* n, float* alpha, float* a, int* lda, float* x, int* incx,
                  float* beta, float* y, int* incy) noexcept nogil
    void (*dgemv)(char* t, int* m, int* n, double* alpha, double* a, int* lda, double* x,
                  int* incx, double* beta, double* y, int* incy) noexcept nogil


cdef Blas scipy  # of NULL until load_blas

# load_blas for nogil code; ends the process if it fails.
cdef void load_or_end() noexcept nogil


cdef inline const Blas* loaded() noexcept nogil:
    if scipy.sgemm == NULL:
        load_or_end()
    return &scipy


cdef inline void _gemm(char* ta, char* tb, int m, int n, int k, real alpha, const real* A,
                       int lda, const real* B, int ldb, real beta, real* C,
                       int ldc) noexcept nogil:
    if real is float:
        loaded().sgemm(tb, ta, &n, &m, &k, &alpha, <real*> B, &ldb, <real*> A, &lda, &beta, C, &ldc)
    else:
        loaded().dgemm(tb, ta, &n, &m, &k, &alpha, <real*> B, &ldb, <real*> A, &lda, &beta, C, &ldc)


cdef inline void _gemv(char* t, int rows, int cols, const real* A, int lda, const real* x,
                       real* y) noexcept nogil:
    # y = A^T x for t = "n" (column-major view of row-major A), y = A x for t = "t".
    cdef real one = 1, zero = 0
    cdef int step = 1
    if real is float:
        loaded().sgemv(t, &cols, &rows, &one, <real*> A, &lda, <real*> x, &step, &zero, y, &step)
    else:
        loaded().dgemv(t, &cols, &rows, &one, <real*> A, &lda, <real*> x, &step, &zero, y, &step)


cdef inline void matmul(int m, int n, int k, const real* A, const real* B,
                        real* C) noexcept nogil:
    """C = A B for contiguous A (m, k), B (k, n), C (m, n)."""
    if m == 0:
        return
    if m == 1:
        _gemv("n", k, n, B, n, A, C)
    else:
        _gemm("n", "n", m, n, k, <real> 1, A, k, B, n, <real> 0, C, n)


cdef inline void matmul_nt(int m, int n, int k, const real* A, const real* B,
                           real* C) noexcept nogil:
    """C = A B^T for contiguous A (m, k), B (n, k), C (m, n)."""
    if m == 0:
        return
    if m == 1:
        _gemv("t", n, k, B, k, A, C)
    else:
        _gemm("n", "t", m, n, k, <real> 1, A, k, B, k, <real> 0, C, n)


cdef inline void matmul_tn(int m, int n, int k, const real* A, int lda, const real* B,
                           real* C) noexcept nogil:
    """C = A^T B for A (k, m) with leading dimension lda, contiguous B (k, n) and C (m, n).

    The result is zero if k == 0.
    """
    if m > 0:
        _gemm("t", "n", m, n, k, <real> 1, A, lda, B, n, <real> 0, C, n)
