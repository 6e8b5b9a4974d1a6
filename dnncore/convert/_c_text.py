"""The text of a C file: its frame, its functions, and how numbers and strings are written.

In the templates NAME is the prefix of the functions, MACRO the same in capitals, REAL the type of
the numbers, and _F what float has and double lacks, in `expf` and `1.0f`.
"""

from __future__ import annotations

import json
import re
from textwrap import dedent
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 96
MAX_STRING = 4095  # bytes that a C99 compiler must take

FRAME = """\
/* {summary}
 *
 * One file of C99, or C++. Compile it by itself, with MACRO_DECLARATIONS_ONLY defined before it
 * is included elsewhere; or include it as it is, with MACRO_API defined as `static inline`.
 * Link with the mathematics library (-lm). Nothing is allocated and nothing is kept: any number
 * of threads may call at once. Arrays on the stack take at most MACRO_STACK_BYTES bytes.
 * The numbers of a row are not checked.
{features} */
#ifndef MACRO_H
#define MACRO_H

#define MACRO_N_FEATURES {n_features}
#define MACRO_N_OUTPUTS {n_outputs}
#define MACRO_STACK_BYTES {stack}

#ifndef MACRO_API
#define MACRO_API
#endif

#ifdef __cplusplus
extern "C" {{
#endif

{declarations}

#ifdef __cplusplus
}}
#endif

#ifndef MACRO_DECLARATIONS_ONLY

{tables}

{functions}

#endif
#endif
"""

DECLARATIONS = {
    "softmax": """
        /* The label of an output, 0 <= index < MACRO_N_OUTPUTS. */
        MACRO_API LABEL NAME_label(int index);

        /* Index of the most probable class of the row x[MACRO_N_FEATURES]. */
        MACRO_API int NAME_predict(const REAL *x);

        /* Its probabilities p[MACRO_N_OUTPUTS], which add up to 1. x and p must not overlap. */
        MACRO_API void NAME_predict_proba(const REAL *x, REAL *p);
        """,
    "logistic": """
        /* The label of an output, 0 <= index < MACRO_N_OUTPUTS. */
        MACRO_API LABEL NAME_label(int index);

        /* 0 or 1 for each label: label[MACRO_N_OUTPUTS], of the row x[MACRO_N_FEATURES]. */
        MACRO_API void NAME_predict(const REAL *x, int *label);

        /* The probability p[MACRO_N_OUTPUTS] of each label. x and p must not overlap. */
        MACRO_API void NAME_predict_proba(const REAL *x, REAL *p);
        """,
    "identity": """
        /* The numbers y[MACRO_N_OUTPUTS] for the row x[MACRO_N_FEATURES]; they must not overlap. */
        MACRO_API void NAME_predict(const REAL *x, REAL *y);
        """,
}

DEFINITIONS = {
    "softmax": """
        MACRO_API LABEL NAME_label(int index)
        {
            return NAME_labels[index];
        }

        MACRO_API int NAME_predict(const REAL *x)
        {
            REAL z[MACRO_N_OUTPUTS];
            int j, most = 0;
            NAME_forward(x, z);
            for (j = 1; j < MACRO_N_OUTPUTS; j++) {
                if (z[j] > z[most]) most = j;
            }
            return most;
        }

        MACRO_API void NAME_predict_proba(const REAL *x, REAL *p)
        {
            NAME_forward(x, p);
            NAME_softmax(MACRO_N_OUTPUTS, p);
        }
        """,
    "logistic": """
        MACRO_API LABEL NAME_label(int index)
        {
            return NAME_labels[index];
        }

        MACRO_API void NAME_predict(const REAL *x, int *label)
        {
            REAL z[MACRO_N_OUTPUTS];
            int j;
            NAME_forward(x, z);
            for (j = 0; j < MACRO_N_OUTPUTS; j++) label[j] = z[j] > 0;
        }

        MACRO_API void NAME_predict_proba(const REAL *x, REAL *p)
        {
            NAME_forward(x, p);
            NAME_logistic(MACRO_N_OUTPUTS, p);
        }
        """,
    "identity": """
        MACRO_API void NAME_predict(const REAL *x, REAL *y)
        {
            NAME_forward(x, y);
        }
        """,
}

AFFINE = """
    /* z = a W + b */
    static void NAME_affine(int n, int m, const REAL *a, const REAL *W, const REAL *b, REAL *z)
    {
        int i, j;
        for (j = 0; j < m; j++) z[j] = b[j];
        for (i = 0; i < n; i++, W += m) {
            for (j = 0; j < m; j++) z[j] += a[i] * W[j];
        }
    }
    """

RESCALE = """
    /* Back to the units of the targets. */
    static void NAME_rescale(REAL *z)
    {
        int j;
        for (j = 0; j < MACRO_N_OUTPUTS; j++) {
            z[j] = z[j] * NAME_target_scale[j] + NAME_target_mean[j];
        }
    }
    """

# Of the hidden layers and of the outputs.
ACTIVATIONS = {
    "logistic": """
        /* 1 / (1 + exp(-z)), by the exponential that cannot overflow. */
        static void NAME_logistic(int n, REAL *z)
        {
            int j;
            for (j = 0; j < n; j++) {
                const REAL e = exp_F(-fabs_F(z[j]));
                z[j] = (z[j] >= 0 ? 1.0_F : e) / (1.0_F + e);
            }
        }
        """,
    "tanh": """
        static void NAME_tanh(int n, REAL *z)
        {
            int j;
            for (j = 0; j < n; j++) z[j] = tanh_F(z[j]);
        }
        """,
    "relu": """
        static void NAME_relu(int n, REAL *z)
        {
            int j;
            for (j = 0; j < n; j++) {
                if (z[j] < 0) z[j] = 0;
            }
        }
        """,
    "softmax": """
        static void NAME_softmax(int n, REAL *z)
        {
            REAL most = z[0], sum = 0;
            int j;
            for (j = 1; j < n; j++) {
                if (z[j] > most) most = z[j];
            }
            for (j = 0; j < n; j++) sum += z[j] = exp_F(z[j] - most);
            for (j = 0; j < n; j++) z[j] /= sum;
        }
        """,
}


def fill_in(template: str, name: str, dtype: np.dtype[Any], label: str = "") -> str:
    """The template with its words replaced."""
    words = {
        "NAME": name,
        "MACRO": name.upper(),
        "REAL": "float" if dtype == np.float32 else "double",
        "_F": "f" if dtype == np.float32 else "",
        "LABEL ": label if label.endswith("*") else f"{label} ",
    }
    # In one pass: a prefix may itself be one of the words.
    pattern = r"NAME(?=_)|MACRO(?=_)|\bREAL\b|_F\b|\bLABEL "
    return re.sub(pattern, lambda found: words[found[0]], dedent(template).strip("\n"))


def numbers(array: NDArray[Any]) -> str:
    """Elements of an array, with as many digits as give the same bits again."""
    if array.dtype == np.float32:
        # Nine digits; C reads them as a float at once, so nothing is rounded twice.
        texts = [f"{x:.9g}" for x in array.ravel().tolist()]
        return _wrapped([f"{x}f" if "." in x or "e" in x else f"{x}.0f" for x in texts])
    return _wrapped([repr(x) for x in array.ravel().tolist()])


def labels(classes: NDArray[Any]) -> tuple[str, str]:
    """The C type of labels that `plain_labels` gave, and the labels.

    Raises
    ------
    ValueError
        If a string cannot be a C string.
    """
    if classes.dtype == np.int64:
        return "long long", _wrapped([_integer(x) for x in classes.tolist()])
    if classes.dtype == np.bool_:
        return "int", _wrapped([str(int(x)) for x in classes.tolist()])
    if classes.dtype == np.float64:
        return "double", numbers(classes)
    return "const char *", _wrapped([_string(x) for x in classes.tolist()])


def features(names: tuple[str, ...] | None) -> str:
    """Lines of a comment that list the features."""
    if names is None:
        return ""
    # Without a slash no name can end the comment, or seem to begin another.
    texts = (json.dumps(name).replace("/", "\\u002f") for name in names)
    lines = [f" *   {index} {text}" for index, text in enumerate(texts)]
    return "\n".join([" *", " * Features:", *lines, ""])


def _integer(x: int) -> str:
    # The smallest has no literal: the minus sign is an operator.
    return f"{x}LL" if x > -(2**63) else f"(-{2**63 - 1}LL - 1)"


def _string(label: str) -> str:
    data = label.encode()
    if 0 in data or len(data) > MAX_STRING:
        raise ValueError(
            f"classes must be at most {MAX_STRING} bytes without a zero byte to be C strings, "
            f"got {label!r:.80}"
        )
    # A question mark could begin a trigraph.
    plain = (chr(c) if 32 <= c < 127 and chr(c) not in '"\\?' else f"\\{c:03o}" for c in data)
    return f'"{"".join(plain)}"'


def _wrapped(texts: list[str]) -> str:
    lines, line = [], "   "
    for text in texts:
        if len(line) + len(text) + 2 > LINE and line.strip():
            lines.append(line)
            line = "   "
        line += f" {text},"
    return "\n".join([*lines, line])
