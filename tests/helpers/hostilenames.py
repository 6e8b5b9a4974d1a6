"""Names of features, categories and classes that end comments, strings or files where these are not
escaped, and exports of models that have them."""

import ctypes
import json
import shutil
import subprocess
from _ctypes import dlclose

import numpy as np
import pandas as pd

CC, CXX = shutil.which("gcc"), shutil.which("g++")
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
MAX_STRING = 4095  # bytes of a class in a C file

# Each one on its own, and any of them in a row.
PIECES = [
    "a", "_", " ", '"', "'", "\\", "\n", "\r", "\t", "\v", "\0", "\x01", "\x1b", "\x7f", "*/", "/*",
    "//", "/", "*", "??/", "??=", "??", "%", "%s%n", "{", "}", "{summary}", "{0}", "$(x)", "`x`",
    "#include <x>\n", "#", "int", "return", "NAME_", "MACRO_H", "REAL ", "LABEL ", "_F", "u8", "R(",
    "\\0", "\\x41", "0", "1", "nan", "é", "e\u0301", "größe", "日本", "😀", "\u202e", "\u2066",
    "\u2028", "\x85", "\ufeff", "\ud800", "\udcff", "x" * 300, "ß" * 3000,
]  # fmt: skip
IDENTIFIERS = [
    "model", "int", "return", "main", "exp", "NAME", "MACRO", "REAL", "LABEL", "NAME_x", "x_NAME",
    "my_MACRO", "MACRO_y", "L_REAL", "F", "x_F", "a" * 2000, "a_", "a__b", "Z9", "static",
]  # fmt: skip


def table_of(columns):
    """A table with columns of any names and cells, which pandas would make UTF-8 of."""
    table = pd.DataFrame({i: pd.Series(x, dtype=x.dtype) for i, x in enumerate(columns.values())})
    table.columns = pd.Index(list(columns), dtype=object)
    return table


def can_be_encoded(text):
    """Whether the text is valid Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def refusal(classes):
    """Why a C file cannot have these classes, or why no export can; None if it can."""
    if not all(map(can_be_encoded, classes)):
        return "valid Unicode"
    if any("\0" in x or len(x.encode()) > MAX_STRING for x in classes):
        return "C strings"
    return None


class CFile:
    """A C file, compiled as C11, and checked as C++11; no warning is allowed."""

    def __init__(self, path, folder, name):
        source, self._target = folder / "source.c", folder / "source.so"
        shutil.copyfile(path, source)
        self._target.unlink(missing_ok=True)
        _compile(CC, "-std=c11", "-shared", "-fPIC", source, "-o", self._target, "-lm")
        _compile(CXX, "-x", "c++", "-std=c++11", "-fsyntax-only", source)
        self._library, self._name = ctypes.CDLL(str(self._target)), name

    def close(self):
        """Unload it, so that another one can be loaded from the same path."""
        dlclose(self._library._handle)

    def labels(self, n):
        function = self._library[f"{self._name}_label"]
        function.restype = ctypes.c_char_p
        return [function(index).decode() for index in range(n)]

    def outputs(self, function, rows, n_outputs):
        """What a function that writes an array of the type of the rows gives for each row."""
        call = self._library[f"{self._name}_{function}"]
        pointer = ctypes.POINTER(np.ctypeslib.as_ctypes_type(rows.dtype))
        out = np.full((len(rows), n_outputs), np.nan, rows.dtype)
        for x, y in zip(np.ascontiguousarray(rows), out, strict=True):
            call(x.ctypes.data_as(pointer), y.ctypes.data_as(pointer))
        return out


def _compile(compiler, *arguments):
    done = subprocess.run(
        [compiler, "-O0", "-pipe", *WARNINGS, *map(str, arguments)], capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[:2000]


def run_onnx(path, rows):
    """The outputs and the metadata of an ONNX file, which the checker of ONNX accepts."""
    import onnx
    import onnxruntime

    data = path.read_bytes()
    proto = onnx.load_from_string(data)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(data)
    names = [output.name for output in session.get_outputs()]
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    return dict(zip(names, session.run(None, {"X": rows}), strict=True)), metadata


def names_in(metadata):
    """The names of the features in the metadata of an ONNX file."""
    return json.loads(metadata["feature_names"])
