"""The kernels at random shapes, scales, layouts and values, on all instruction sets.

Ordinary numbers: against the oracle, within the error bounds of tests/kernels. Ordinary and extreme
numbers: the same bits on all instruction sets, whatever the layout.
"""

from typing import Any

import numpy as np
from _search import search
from kernelcases import CASES, DTYPES, call, check_against_reference, make_arguments, same_bits

from dnncore import kernels
from dnncore._core import csrc

Arguments = dict[str, np.ndarray]
# Logits and their like, which may be of any size; the others have a domain.
SCALABLE = {"x", "mean", "a", "W", "b", "V", "c", "s", "da", "dz", "dp", "dout", "z"}
LONG = 5000


def size(rng: np.random.Generator, least: int) -> int:
    """Mostly small, sometimes beyond the blocks of the C code."""
    return int(rng.integers(least, [4, 20, 70, 300][rng.integers(4)]))


def shape(rng: np.random.Generator) -> tuple[int, int]:
    if rng.random() < 0.03:
        n, m = (1, int(rng.integers(1000, LONG)))
        return (n, m) if rng.random() < 0.5 else (m, n)
    return size(rng, 0), size(rng, 1)


def scaled(rng: np.random.Generator, case: tuple[str, ...], arguments: Arguments) -> Arguments:
    """Numbers of other sizes, as far as the oracle does not overflow."""
    names = sorted(SCALABLE & arguments.keys())
    if case[0] in ("exp", "exp_backward", "poisson_deviance") or "quantiles" in arguments:
        return arguments
    if case[0].endswith("_backward") and names and "a" in arguments and "W" not in arguments:
        names.remove("a")  # an output of an activation
    numbers = {
        name: (arguments[name] * 2.0 ** rng.integers(-8, 6)).astype(arguments[name].dtype)
        for name in names
    }
    if case[0].startswith("gelu"):  # where the normal distribution of SciPy does not underflow
        limit = 12 if arguments["z"].dtype == np.float32 else 36
        numbers["z"] = numbers["z"].clip(-limit, limit)
    return arguments | numbers


def extreme(rng: np.random.Generator, arguments: Arguments) -> Arguments:
    """With some special numbers."""

    def with_some(x: np.ndarray) -> np.ndarray:
        info = np.finfo(x.dtype)
        special = [0, -0.0, info.max, info.min, info.tiny, info.smallest_subnormal, np.inf,
                   -np.inf, np.nan, 1e-30, 88.0, -104.0, 709.0, -746.0]  # fmt: skip
        values = np.asarray(special, x.dtype)[rng.integers(0, len(special), x.shape)]
        return np.where(rng.random(x.shape) < 0.2, values, x)

    options = ("L", "sample_weight", "quantiles", "Y", "scale")  # checked
    return {
        name: x if name in options or x.dtype.kind != "f" else with_some(x)
        for name, x in arguments.items()
    }


def laid_out(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """The same numbers with other strides."""
    match rng.integers(5):
        case 0:
            return np.asfortranarray(x)
        case 1:
            steps = [int(step) for step in rng.choice([-3, -2, -1, 1, 2, 3], x.ndim)]
            big = np.full([abs(step) * n for step, n in zip(steps, x.shape, strict=True)], 77)
            view = big.astype(x.dtype)[tuple(slice(None, None, step) for step in steps)]
            view[...] = x
            return view
        case 2:
            skip = int(rng.integers(1, x.itemsize))
            view = np.zeros(x.nbytes + skip, np.uint8)[skip:].view(x.dtype).reshape(x.shape)
            view[...] = x
            return view
        case _:
            return x


def without_payload(result: Any) -> Any:
    """The same, where all NaN are one: no instruction set promises which one it gives."""
    if isinstance(result, tuple):
        return tuple(map(without_payload, result))
    return np.where(np.isnan(result), np.nan, result)


def results(isa: str, case: tuple[str, ...], arguments: Arguments) -> Any:
    csrc.select(isa)
    try:
        return without_payload(call(kernels, case, arguments))
    except ValueError as error:
        return str(error)


def try_one(rng: np.random.Generator) -> str:
    case = CASES[rng.integers(len(CASES))]
    n, m = shape(rng)
    arguments = make_arguments(case, n, m, DTYPES[rng.integers(2)], seed=int(rng.integers(2**31)))
    ordinary = rng.random() < 0.6
    arguments = scaled(rng, case, arguments) if ordinary else extreme(rng, arguments)
    isas = csrc.available()
    expected = results("generic", case, arguments)
    for isa in isas:
        layout = {name: laid_out(rng, x) for name, x in arguments.items()}
        found = results(isa, case, layout)
        assert type(found) is type(expected), (case, n, m, isa, found, expected)
        same = found == expected if isinstance(found, str) else same_bits(found, expected)
        assert same, (case, n, m, isa)
    if isinstance(expected, str):
        return "refused"
    if ordinary:
        csrc.select(isas[rng.integers(len(isas))])
        check_against_reference(case, arguments)
        return "within the bounds and of the same bits"
    return "of the same bits"


if __name__ == "__main__":
    search(try_one)
