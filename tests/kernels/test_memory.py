"""Where arguments and results lie: any layout, `out`, and what may not overlap."""

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from kernelcases import (
    IN_PLACE_CASES,
    as_tuple,
    call,
    case_id,
    each_case,
    each_dtype,
    each_out_case,
    make_arguments,
    same_bits,
)

from dnncore import kernels, reference


def strided(x: np.ndarray) -> np.ndarray:
    big = np.full([2 * size for size in x.shape], 77, x.dtype)
    view = big[(slice(None, None, 2),) * x.ndim]
    view[...] = x
    return view


def reversed_axes(x: np.ndarray) -> np.ndarray:
    return np.flip(np.flip(x).copy())


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x: np.ndarray) -> np.ndarray:
    view = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert not view.flags.aligned
    return view


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, strided, reversed_axes, read_only, unaligned, np.ndarray.tolist]
)
@each_case
def test_layout_of_the_arguments_does_not_matter(case, layout):
    arguments = make_arguments(case, 5, 17, np.float64)  # the type of a list of floats
    expected = call(kernels, case, arguments)
    laid_out = {name: layout(x) for name, x in arguments.items()}
    assert same_bits(call(kernels, case, laid_out), expected)
    for name, x in arguments.items():  # one at a time, too
        assert same_bits(call(kernels, case, arguments | {name: layout(x)}), expected)


@each_case
def test_arguments_are_left_alone(case):
    arguments = make_arguments(case, 5, 17, np.float32)
    copies = {name: x.copy() for name, x in arguments.items()}
    call(kernels, case, arguments)
    for name, x in arguments.items():
        assert same_bits(x, copies[name]), name


def outputs(case: tuple[str, ...], arguments: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """New arrays of the shapes of the results, filled with a value that must not survive."""
    result = as_tuple(call(reference, case, arguments))
    return tuple(np.full_like(x, 77) for x in result if isinstance(x, np.ndarray))


def as_out(out: tuple[Any, ...]) -> Any:
    return out if len(out) > 1 else out[0]


@each_dtype
@each_out_case
def test_out_is_written_and_returned(case, dtype, module):
    for n, m in ((0, 3), (1, 1), (5, 17), (17, 8)):
        arguments = make_arguments(case, n, m, dtype)
        expected = call(module, case, arguments)
        out = outputs(case, arguments)
        result = call(module, case, arguments | {"out": as_out(out)})
        assert same_bits(result, expected)
        arrays = [x for x in as_tuple(result) if isinstance(x, np.ndarray)]
        assert all(x is y for x, y in zip(arrays, out, strict=True))


def test_out_of_affine_backward_may_be_given_in_part(module):
    arguments = make_arguments(("affine_backward",), 5, 17, np.float32)
    expected = module.affine_backward(**arguments)
    dW = np.empty_like(arguments["W"])
    result = module.affine_backward(**arguments, out=(None, dW, None))
    assert result[1] is dW
    assert same_bits(result, expected)


@each_dtype
@pytest.mark.parametrize("case", IN_PLACE_CASES, ids=case_id)
def test_in_place(case, dtype, module):
    for n, m in ((0, 3), (1, 1), (5, 17), (17, 8), (3, 2049)):
        arguments = make_arguments(case, n, m, dtype)
        expected = call(module, case, arguments)
        first = next(iter(arguments.values()))
        result = call(module, case, arguments | {"out": first})
        assert as_tuple(result)[-1] is first
        assert same_bits(result, expected)


@each_out_case
def test_out_of_another_kind_is_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    good = outputs(case, arguments)
    for i, x in enumerate(good):
        # NumPy's own message about a read-only array is good enough for the reference.
        unwritable = "^out.* and writeable" if module is kernels else "read-only"
        bad_outputs = (
            (TypeError, "^out.* must be a NumPy array", x.tolist()),
            (TypeError, "^out.* must have dtype float32", x.astype(np.float64)),
            (TypeError, "^out.* must have dtype float32", x.astype(x.dtype.newbyteorder())),
            (ValueError, "^out.* must have shape", x[:-1]),
            (ValueError, "^out.* must have shape", x[..., :-1].copy()),
            (ValueError, "^out.* must have shape", x[np.newaxis]),
            (ValueError, unwritable, read_only(x)),
        )
        for error, words, bad in bad_outputs:
            out = as_out((*good[:i], bad, *good[i + 1 :]))
            with pytest.raises(error, match=words):
                call(module, case, arguments | {"out": out})


def test_out_of_affine_backward_is_a_tuple_of_three(module):
    arguments = make_arguments(("affine_backward",), 5, 17, np.float32)
    da, dW, db = outputs(("affine_backward",), arguments)
    for out in (da, (da, dW), [da, dW, db], (da, dW, db, db)):
        with pytest.raises(TypeError, match="out must be a tuple of 3 arrays"):
            module.affine_backward(**arguments, out=out)


@pytest.mark.parametrize("layout", [np.asfortranarray, strided, reversed_axes, unaligned])
@each_out_case
def test_out_must_be_contiguous_and_aligned(case, layout):
    arguments = make_arguments(case, 5, 17, np.float32)
    good = outputs(case, arguments)
    for i, x in enumerate(good):
        bad = layout(x)
        if bad.flags.c_contiguous and bad.flags.aligned:  # a vector in Fortran's order
            continue
        with pytest.raises(ValueError, match=r"^out.* must be C-contiguous, aligned"):
            call(kernels, case, arguments | {"out": as_out((*good[:i], bad, *good[i + 1 :]))})


def overlapping(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copies of two arrays, the last number of the one in the memory of the other's first."""
    memory = np.zeros(x.nbytes + y.nbytes, np.uint8)
    a = memory[: x.nbytes].view(x.dtype).reshape(x.shape)
    start = x.nbytes - x.itemsize
    b = memory[start : start + y.nbytes].view(y.dtype).reshape(y.shape)
    b[...], a[...] = y, x
    assert np.shares_memory(a, b)
    return a, b


@each_dtype
@each_out_case
def test_out_must_not_overlap_an_argument_in_part(case, dtype):
    arguments = make_arguments(case, 5, 17, dtype)
    good = outputs(case, arguments)
    arrays = {name: x for name, x in arguments.items() if name != "quantiles"}  # copied
    for (i, x), (name, argument) in product(enumerate(good), arrays.items()):
        argument, bad = overlapping(argument, x)
        out = as_out((*good[:i], bad, *good[i + 1 :]))
        with pytest.raises(ValueError, match=r"^out.*overlap"):
            call(kernels, case, arguments | {name: argument, "out": out})


@each_dtype
@each_out_case
def test_out_must_not_be_another_argument_than_the_first(case, dtype):
    arguments = make_arguments(case, 33, 33, dtype)
    good = outputs(case, arguments)
    others = list(arguments.items())[case in IN_PLACE_CASES :]
    for (i, x), (name, argument) in product(enumerate(good), others):
        if argument.shape == x.shape and argument.dtype == x.dtype:
            out = as_out((*good[:i], argument, *good[i + 1 :]))
            with pytest.raises(ValueError, match=r"^out.*overlap"):
                call(kernels, case, arguments | {name: argument, "out": out})


@each_dtype
def test_outputs_of_affine_backward_must_not_overlap(dtype):
    arguments = make_arguments(("affine_backward",), 5, 17, dtype)
    for i, j in combinations(range(3), 2):
        out = list(outputs(("affine_backward",), arguments))
        out[i], out[j] = overlapping(out[i], out[j])
        with pytest.raises(ValueError, match=r"^out.*overlap"):
            kernels.affine_backward(**arguments, out=tuple(out))
