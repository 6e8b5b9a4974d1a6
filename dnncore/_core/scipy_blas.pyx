"""Sets the functions of ``blas.pxd``; the only module that needs SciPy to be imported."""

from scipy.linalg.cython_blas cimport dgemm, dgemv, sgemm, sgemv

from .blas cimport scipy

# That of sgemm tells other threads that all are set.
scipy.dgemm, scipy.sgemv, scipy.dgemv = dgemm, sgemv, dgemv
scipy.sgemm = sgemm
