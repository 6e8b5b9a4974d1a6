"""The extension modules. Everything else about the package is in pyproject.toml."""

import os
import sys
from collections.abc import Sequence
from glob import glob

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

# DNNCORE_DEBUG=1: Cython with bounds checks, C with assertions and debug symbols.
DEBUG = os.environ.get("DNNCORE_DEBUG", "0") not in ("", "0")
# DNNCORE_SANITIZE=address,undefined: C with these sanitizers of GCC or Clang; see CONTRIBUTING.md.
SANITIZE = os.environ.get("DNNCORE_SANITIZE", "")
SYMBOLS = DEBUG or bool(SANITIZE)

# Results must not depend on the instruction set, so the compiler must not contract multiply-adds.
# errno and floating-point traps are not used; ignoring them enables vectorisation without
# changing any value.
C_FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
C_FLAGS += ["-g", "-UNDEBUG"] if SYMBOLS else ["-g0", "-DNDEBUG"]
LINK_FLAGS = ["-pthread"]
if SANITIZE:
    C_FLAGS += [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    LINK_FLAGS.append(f"-fsanitize={SANITIZE}")
if not SYMBOLS and sys.platform == "linux":
    LINK_FLAGS.append("-Wl,-s")  # no symbol table
OPTIONS = {}
if sys.platform == "win32":
    # MinGW-w64: the C is that of GCC and Clang, and the threads are those of POSIX. GCC keeps
    # vectors on the stack, which Windows aligns to 16 bytes only: no instruction may ask for more.
    OPTIONS = {"build_ext": {"compiler": "mingw32"}}
    C_FLAGS += ["-DMS_WIN64", "-Wa,-muse-unaligned-vector-move"]
    LINK_FLAGS.append("-static")  # no libraries of the compiler beside the modules

# Two files per instruction set, for float and double; empty on other architectures.
ISA_SOURCES = sorted(glob("csrc/isa/*.c"))
HEADERS = glob("csrc/**/*.h", recursive=True)

DIRECTIVES = {
    "language_level": 3,
    "binding": True,
    "freethreading_compatible": True,
    "embedsignature": False,
    "boundscheck": DEBUG,
    "initializedcheck": DEBUG,
    "cdivision": not DEBUG,
}


# What Cython needs for memoryviews, once instead of in every module.
SHARED = "_core.cython_shared"


def extension(name: str, c_sources: Sequence[str] = (), optimise: str = "-O2") -> Extension:
    return Extension(
        f"dnncore.{name}",
        [f"dnncore/{name.replace('.', '/')}{'.c' if name == SHARED else '.pyx'}", *c_sources],
        include_dirs=["csrc", np.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        depends=HEADERS,
        extra_compile_args=[*C_FLAGS, "-O1" if SYMBOLS else optimise],
        extra_link_args=LINK_FLAGS,
    )


setup(
    ext_modules=cythonize(
        [
            extension(SHARED),
            extension("_core.csrc", ISA_SOURCES, optimise="-O3"),
            extension("kernels"),
            extension("_core.blas"),
            extension("_core.scipy_blas"),
            extension("_core.engine", ["csrc/team.c"]),
            extension("predictor"),
            extension("table_predictor"),
            extension("stepper"),
            extension("_river.rows"),
        ],
        compiler_directives=DIRECTIVES,
        shared_utility_qualified_name=f"dnncore.{SHARED}",
        build_dir="build/cython",
        # The C depends on the versions of Cython and NumPy and on the switches above, of which
        # cythonize, which compares times, knows nothing. New C makes setuptools compile it.
        force=True,
    ),
    options=OPTIONS,
)
