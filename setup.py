"""The extension modules. Everything else about the package is in pyproject.toml."""

import os
from collections.abc import Sequence
from glob import glob

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

# DNNCORE_DEBUG=1: Cython with bounds checks, C with assertions and debug symbols.
DEBUG = os.environ.get("DNNCORE_DEBUG", "0") not in ("", "0")

# Results must not depend on the instruction set, so the compiler must not contract multiply-adds.
# errno and floating-point traps are not used; ignoring them enables vectorisation without
# changing any value.
C_FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
C_FLAGS += ["-O1", "-g", "-UNDEBUG"] if DEBUG else ["-O3", "-g0", "-DNDEBUG"]

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


def extension(name: str, c_sources: Sequence[str] = ()) -> Extension:
    return Extension(
        f"dnncore.{name}",
        [f"dnncore/{name.replace('.', '/')}.pyx", *c_sources],
        include_dirs=["csrc", np.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        depends=HEADERS,
        extra_compile_args=C_FLAGS,
        extra_link_args=["-pthread"],
    )


setup(
    ext_modules=cythonize(
        [
            extension("_core.csrc", ISA_SOURCES),
            extension("kernels"),
            extension("_core.engine", ["csrc/team.c"]),
            extension("predictor"),
            extension("table_predictor"),
        ],
        compiler_directives=DIRECTIVES,
        build_dir="build/cython-debug" if DEBUG else "build/cython",
    )
)
