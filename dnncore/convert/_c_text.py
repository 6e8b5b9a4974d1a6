"""The text of a C file: its frame, its functions, and the formatting of numbers and strings.

In the templates, NAME is the prefix of the functions, MACRO the same in capitals, REAL the type of
the numbers, and _F the suffix of float, as in `expf` and `1.0f`, which is empty for double.
"""

from __future__ import annotations

import json
import re
from textwrap import dedent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.names import REGRESSION_OUTPUTS

LINE = 96
MAX_STRING = 4095  # bytes of a string literal that a C99 compiler must support

FRAME = """\
/* {summary}
 *
 * C99 or C++. Either compile this file separately and define MACRO_DECLARATIONS_ONLY before
 * including it elsewhere, or include it with MACRO_API defined as `static inline`.
 * Link with the mathematics library (-lm). The functions allocate no memory and have no mutable
 * state, so any number of threads may call them concurrently. Their arrays on the stack take at
 * most MACRO_STACK_BYTES bytes. The values of a row are not checked.
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
        /* Return the label of an output, 0 <= index < MACRO_N_OUTPUTS. */
        MACRO_API LABEL NAME_label(int index);

        /* Return the index of the most probable class of the row x[MACRO_N_FEATURES]. */
        MACRO_API int NAME_predict(const REAL *x);

        /* Write the class probabilities of the row x[MACRO_N_FEATURES] to p[MACRO_N_OUTPUTS].
           They sum to 1. x and p must not overlap. */
        MACRO_API void NAME_predict_proba(const REAL *x, REAL *p);
        """,
    "logistic": """
        /* Return the label of an output, 0 <= index < MACRO_N_OUTPUTS. */
        MACRO_API LABEL NAME_label(int index);

        /* Write 0 or 1 for each label of the row x[MACRO_N_FEATURES] to label[MACRO_N_OUTPUTS]. */
        MACRO_API void NAME_predict(const REAL *x, int *label);

        /* Write the probability of each label of the row x[MACRO_N_FEATURES] to
           p[MACRO_N_OUTPUTS]. x and p must not overlap. */
        MACRO_API void NAME_predict_proba(const REAL *x, REAL *p);
        """,
    "identity": """
        /* Write the predicted targets of the row x[MACRO_N_FEATURES] to y[MACRO_N_OUTPUTS].
           x and y must not overlap. */
        MACRO_API void NAME_predict(const REAL *x, REAL *y);
        """,
}
DECLARATIONS |= dict.fromkeys(REGRESSION_OUTPUTS, DECLARATIONS["identity"])

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
    "exp": """
        MACRO_API void NAME_predict(const REAL *x, REAL *y)
        {
            NAME_forward(x, y);
            NAME_exp(MACRO_N_OUTPUTS, y);
        }
        """,
    "sorted": """
        MACRO_API void NAME_predict(const REAL *x, REAL *y)
        {
            NAME_forward(x, y);
            NAME_sorted(MACRO_N_OUTPUTS, y);
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
    /* Convert standardised logits to the units of the targets. */
    static void NAME_rescale(REAL *z)
    {
        int j;
        for (j = 0; j < MACRO_N_OUTPUTS; j++) {
            z[j] = z[j] * NAME_target_scale[j] + NAME_target_mean[j];
        }
    }
    """

# Activation functions of the hidden layers and of the outputs.
ACTIVATIONS = {
    "logistic": """
        /* 1 / (1 + exp(-z)), computed from exp(-|z|), which cannot overflow. */
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
    "selu": """
        static void NAME_selu(int n, REAL *z)
        {
            int j;
            for (j = 0; j < n; j++) {
                z[j] = z[j] > 0 ? 1.0507009873554805_F * z[j]
                                : 1.7580993408473768_F * expm1_F(z[j]);
            }
        }
        """,
    "silu": """
        /* z / (1 + exp(-z)), computed from exp(-|z|), which cannot overflow. */
        static void NAME_silu(int n, REAL *z)
        {
            int j;
            for (j = 0; j < n; j++) {
                const REAL e = exp_F(-fabs_F(z[j]));
                z[j] *= (z[j] >= 0 ? 1.0_F : e) / (1.0_F + e);
            }
        }
        """,
    "gelu": """
        /* z Phi(z) with the normal distribution function Phi. */
        static void NAME_gelu(int n, REAL *z)
        {
            int j;
            for (j = 0; j < n; j++) z[j] *= 0.5_F * erfc_F(-0.70710678118654752_F * z[j]);
        }
        """,
    "mish": """
        /* z tanh(log(1 + exp(z))), computed from exp(-|z|), which cannot overflow. */
        static void NAME_mish(int n, REAL *z)
        {
            int j;
            for (j = 0; j < n; j++) {
                const REAL e = exp_F(-fabs_F(z[j]));
                const REAL top = z[j] >= 0 ? 1.0_F + 2.0_F * e : e * (2.0_F + e);
                z[j] *= top / (top + (z[j] >= 0 ? 2.0_F * e * e : 2.0_F));
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
    "exp": """
        /* exp(z), at most the largest finite number. */
        static void NAME_exp(int n, REAL *z)
        {
            const REAL most = nextafter_F((REAL)HUGE_VAL, 0);
            int j;
            for (j = 0; j < n; j++) {
                z[j] = exp_F(z[j]);
                if (z[j] > most) z[j] = most;
            }
        }
        """,
    "sorted": """
        /* Sort in ascending order. */
        static void NAME_sorted(int n, REAL *z)
        {
            int i, j;
            for (j = 1; j < n; j++) {
                const REAL value = z[j];
                for (i = j; i > 0 && z[i - 1] > value; i--) z[i] = z[i - 1];
                z[i] = value;
            }
        }
        """,
}


def fill_in(template: str, name: str, dtype: np.dtype[Any], label: str = "") -> str:
    """Replace the placeholders of a template."""
    words = {
        "NAME": name,
        "MACRO": name.upper(),
        "REAL": c_type(dtype),
        "_F": "f" if dtype == np.float32 else "",
        "LABEL ": label if label.endswith("*") else f"{label} ",
    }
    # In a single pass, since a prefix may itself be one of the placeholders.
    pattern = r"NAME(?=_)|MACRO(?=_)|\bREAL\b|_F\b|\bLABEL "
    return re.sub(pattern, lambda found: words[found[0]], dedent(template).strip("\n"))


def numbers(array: NDArray[Any]) -> str:
    """Format the elements of an array with enough digits to reproduce them bit for bit."""
    if array.dtype == np.float32:
        # Nine digits. C parses them directly as a float, so there is no double rounding.
        texts = [f"{x:.9g}" for x in array.ravel().tolist()]
        return _wrapped([f"{x}f" if "." in x or "e" in x else f"{x}.0f" for x in texts])
    return _wrapped([repr(x) for x in array.ravel().tolist()])


def labels(classes: NDArray[Any]) -> tuple[str, str]:
    """Return the C type and the values of labels returned by `plain_labels`.

    Raises
    ------
    ValueError
        If a label cannot be a C string.
    """
    if classes.dtype == np.int64:
        return "long long", _wrapped([_integer(x) for x in classes.tolist()])
    if classes.dtype == np.bool_:
        return "int", _wrapped([str(int(x)) for x in classes.tolist()])
    if classes.dtype == np.float64:
        return "double", numbers(classes)
    return "const char *", _wrapped([_string(x) for x in classes.tolist()])


def features(names: tuple[str, ...] | None) -> str:
    """Return the lines of a comment that lists the features."""
    if names is None:
        return ""
    lines = [f" *   {index} {in_comment(name)}" for index, name in enumerate(names)]
    return "\n".join([" *", " * Features:", *lines, ""])


def in_comment(name: str) -> str:
    """Return a name for a comment, which it can neither end nor appear to start another in."""
    return json.dumps(name).replace("/", "\\u002f")


def c_type(dtype: np.dtype[Any]) -> str:
    """Return the C type of an array."""
    return "float" if dtype == np.float32 else "double"


def integers(array: NDArray[np.intp]) -> str:
    """Format the elements of an array of ints."""
    return _wrapped([str(x) for x in array.tolist()])


def _integer(x: int) -> str:
    # The smallest integer has no literal, because the minus sign is an operator.
    return f"{x}LL" if x > -(2**63) else f"(-{2**63 - 1}LL - 1)"


def _string(label: str) -> str:
    data = label.encode()
    if 0 in data or len(data) > MAX_STRING:
        raise ValueError(
            f"classes must be at most {MAX_STRING} bytes long and contain no zero byte to be C "
            f"strings, got {label!r:.80}"
        )
    # Question marks are escaped because they could start a trigraph.
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
