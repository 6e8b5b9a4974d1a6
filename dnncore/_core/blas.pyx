"""SciPy's BLAS, which is loaded when it is first needed."""

cdef extern from "Python.h":
    void Py_FatalError(const char* message)


def load_blas():
    """Let the functions of ``blas.pxd`` call SciPy's BLAS.

    Raises
    ------
    ImportError
        If SciPy is not installed, or has another interface of BLAS than in the build of dnncore.
    """
    if scipy.sgemm != NULL:
        return
    try:
        from . import scipy_blas  # noqa: F401 - sets the functions
    except (ImportError, TypeError) as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("scipy"):
            raise ImportError(
                "engine='blas' and the affine kernels need the BLAS of SciPy: pip install scipy"
            ) from error
        # Cython compares the signatures of the functions with those at compile time; they differ
        # in builds of SciPy with 64-bit BLAS integers.
        if "cython_blas" in str(error):
            raise ImportError(
                "this build of dnncore cannot call the BLAS of the installed SciPy, which was "
                "built with a different BLAS interface (64-bit integers?); install a standard "
                f"build of SciPy, or build dnncore against this one: {error}"
            ) from error
        raise


cdef void load_or_end() noexcept nogil:
    with gil:
        try:
            load_blas()
        except BaseException:
            import traceback

            traceback.print_exc()
            Py_FatalError("the BLAS of SciPy cannot be loaded, and nogil code cannot raise errors")
