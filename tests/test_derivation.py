"""docs/explanation/derivation.md has the formulas, the kernels and the lines of the code."""

import ast
import inspect
import pathlib
import re
import textwrap

import numpy as np
import pytest
from latex import latex

from dnncore import Network, kernels, reference

PAGE = (pathlib.Path(__file__).parents[1] / "docs" / "explanation" / "derivation.md").read_text()
INCLUDED = re.findall(
    r"```\{literalinclude\} \.\./\.\./dnncore/reference\.py\n:pyobject: (\w+)\n(.*?)```",
    PAGE,
    re.DOTALL,
)


@pytest.fixture(scope="module")
def trace():
    """A network of the form that the page is about, with one-hot labels."""
    rng = np.random.default_rng(1)
    X, network = rng.normal(3.0, 2.0, size=(5, 4)), Network((4, 6, 3), seed=0)
    network.set_norm(X.mean(axis=0), X.std(axis=0))
    return network.trace(X, np.eye(3)[[0, 2, 1, 0, 2]])


def test_every_quantity_is_derived(trace):
    """With the formula in which the code has it, its kernel, and its value."""
    computed = [quantity for quantity in trace if quantity.formula != quantity.name]
    assert len(computed) == 16
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    for quantity in computed:
        line = f"| ${latex(quantity.formula)}$ | {{func}}`~dnncore.kernels.{quantity.kernel}` |"
        own = [section for section in sections if line in section]
        assert len(own) == 1, line
        assert f'print(trace["{quantity.name}"])' in own[0], quantity.name


def test_the_page_names_no_other_kernel_formula(trace):
    """A formula whose line in the code has changed does not stay behind."""
    lines = re.findall(
        r"^\| \$(.*)\$ \| \{func\}`~dnncore\.kernels\.(\w+)` \|$", PAGE, re.MULTILINE
    )
    expected = {(latex(q.formula), q.kernel) for q in trace if q.kernel}
    assert set(lines) == expected


# What the arguments of the functions of reference.py are in the trace, and the results of the
# lines that the page shows.
ARGUMENTS = {
    "cross_entropy_backward": ({"p": "p", "L": "L"}, ["dp"]),
    "softmax_backward": ({"dp": "dp", "p": "p"}, ["dz_2"]),
    "softmax_cross_entropy": ({"z": "z_2", "L": "L"}, ["dz_2"]),
    "affine_backward": ({"dz": "dz_2", "a": "a_1", "W": "W_2"}, ["da_1", "dW_2", "db_2"]),
    "sigmoid_backward": ({"da": "da_1", "a": "a_1"}, ["dz_1"]),
    "norm_backward": ({"da": "da_0", "scale": "scale"}, ["dx"]),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_lines_of_the_page_compute_what_the_kernels_do(name, trace):
    arguments, results = ARGUMENTS[name]
    namespace = {**vars(reference), "out": None, "w": trace.w[:, 0], "np": np}
    namespace |= {argument: getattr(trace, of) for argument, of in arguments.items()}
    lines = shown_lines(name)
    values = [eval(compile(ast.Expression(value), name, "eval"), namespace) for value in lines]
    assert len(values) == len(results)
    for value, result in zip(values, results, strict=True):
        np.testing.assert_allclose(value, getattr(trace, result), rtol=1e-13, atol=1e-16)
    assert callable(getattr(kernels, name))


def shown_lines(name):
    """The expressions in the lines of a function that the page includes."""
    (options,) = {options for function, options in INCLUDED if function == name}
    source = inspect.getsource(getattr(reference, name))
    start = re.search(r':start-at: "(.*)"', options)[1]
    end = re.search(r':end-at: "(.*)"', options)
    lines = source.splitlines()
    first = next(i for i, line in enumerate(lines) if start in line)
    last = next((i for i, line in enumerate(lines) if end and end[1] in line), len(lines) - 1)
    statements = ast.parse(textwrap.dedent("\n".join(lines[first : last + 1]))).body
    found = []
    for statement in statements:
        value = statement.value
        if isinstance(statement, ast.Return) and isinstance(value, ast.Tuple):
            continue  # loss and dz together: the line before it is that of dz
        found.extend(value.elts if isinstance(value, ast.Tuple) else [value])
    # _result(value, out) returns its first argument.
    results = ("_result",)
    return [
        v.args[0] if isinstance(v, ast.Call) and getattr(v.func, "id", "") in results else v
        for v in found
    ]


def test_the_shown_functions_are_tested_here():
    assert {function for function, _ in INCLUDED} == {*ARGUMENTS, "piecewise_linear_backward"}
