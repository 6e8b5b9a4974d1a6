"""What the kernels refuse."""

import re

import numpy as np
import pytest
from kernelcases import (
    CASES,
    CROSS_ENTROPIES,
    ELEMENTWISE,
    OUTPUT_LOSSES,
    WEIGHTED,
    call,
    case_id,
    each_case,
    each_dtype,
    each_unweighted_case,
    loss_options,
    make_arguments,
)


def float_names(case: tuple[str, ...], arguments: dict[str, np.ndarray]) -> list[str]:
    return [
        name
        for name, x in arguments.items()
        if x.dtype.kind == "f" and name not in ("sample_weight", "quantiles")
    ]


@each_case
def test_other_types_are_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    for name in float_names(case, arguments):
        x = arguments[name]
        for other in (int, bool, complex, object, np.float16, np.longdouble, ">f4", "<U8"):
            if np.dtype(other) in (np.float32, np.float64):  # where longdouble is double
                continue
            with pytest.raises(TypeError, match=f"^{name} must be .*float32 or float64"):
                call(module, case, arguments | {name: x.astype(other)})


@each_dtype
@each_case
def test_mixed_types_are_refused(case, dtype, module):
    arguments = make_arguments(case, 5, 17, dtype)
    other = np.float64 if dtype is np.float32 else np.float32
    for name in float_names(case, arguments)[1:]:
        with pytest.raises(TypeError, match=f"^{name} must have dtype"):
            call(module, case, arguments | {name: arguments[name].astype(other)})


@each_case
def test_wrong_shapes_are_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    arguments.pop("quantiles", None)  # has a test of its own
    options = loss_options(case[0], 17)
    first, *others = arguments
    arguments |= options
    for name in others:
        x = arguments[name]
        wrong = [x[:-1], np.concatenate([x, x[:1]])]
        if x.ndim == 2:
            wrong += [x[:, :-1], np.concatenate([x, x[:, :1]], axis=1)]
        for y in wrong:
            with pytest.raises(ValueError, match="must have shape"):
                call(module, case, arguments | {name: y})
        if name != "L":  # which may be of one or of two dimensions, each with its own type
            with pytest.raises(ValueError, match=f"^{name} must have shape"):
                call(module, case, arguments | {name: x[np.newaxis]})
    if case[0] not in ELEMENTWISE:
        for y in (arguments[first][0], arguments[first][np.newaxis]):
            with pytest.raises(ValueError, match=f"^{first} must have shape"):
                call(module, case, arguments | {first: y})


@pytest.mark.parametrize(
    "case", [case for case in CASES if case[0] not in ELEMENTWISE], ids=case_id
)
def test_no_columns_are_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    first = next(iter(arguments))
    with pytest.raises(ValueError, match=f"^{first} must have shape"):
        call(module, case, arguments | {first: arguments[first][:, :0]})


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_labels_that_are_no_classes_are_refused(name, module):
    arguments = make_arguments((name, "classes", "weighted"), 5, 17, np.float32)

    def raises(error, L, match):
        with pytest.raises(error, match=match):
            getattr(module, name)(**arguments | {"L": L})

    raises(TypeError, np.zeros(5), "^L must be .*float64")
    raises(TypeError, np.zeros(5, np.float32), "^L must be .*float32")
    raises(TypeError, np.zeros(5, bool), "^L must be .*bool")
    raises(TypeError, np.zeros(5, object), "^L must be .*object")
    raises(TypeError, ["a"] * 5, "^L must be .*U1")
    raises(TypeError, np.zeros((5, 17), int), "^L must be .*int64")
    raises(ValueError, 0, "^L must have shape")
    raises(ValueError, np.zeros((5, 17, 1), int), "^L must have shape")
    raises(ValueError, [0, 1, -1, 17, 3], r"^L must lie in \[0, 17\), got -1 in row 2")
    raises(ValueError, [0, 16, 1, 17, -3], r"^L must lie in \[0, 17\), got 17 in row 3")
    huge = np.array([0, 0, 0, 0, 2**64 - 1], np.uint64)
    raises(ValueError, huge, f"got {2**64 - 1} in row 4")


@pytest.mark.parametrize("weights", WEIGHTED)
def test_targets_that_are_no_probabilities_are_refused(weights, module):
    case = ("sigmoid_cross_entropy", "targets", weights)
    arguments = make_arguments(case, 5, 17, np.float64)
    for bad in (-0.25, 1.5, np.nextafter(1, 2), -5e-324, np.nan, np.inf):
        Y = arguments["Y"].copy()
        Y[2, 3] = Y[4, 16] = bad
        match = re.escape(f"Y must lie in [0, 1], got {bad} in row 2, column 3")
        with pytest.raises(ValueError, match=f"^{match}$"):
            call(module, case, arguments | {"Y": Y})


@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_classes_are_no_targets(name, module):
    arguments = make_arguments((name, "targets", "unweighted"), 5, 17, np.float64)
    for Y, error, match in (
        (np.arange(5), TypeError, r"^Y must be a float32 or float64 array, got int"),
        (np.arange(5.0), ValueError, r"^Y must have shape"),
    ):
        with pytest.raises(error, match=match):
            getattr(module, name)(**arguments | {"Y": Y})


@pytest.mark.parametrize("weights", WEIGHTED)
def test_negative_targets_of_poisson_deviance_are_refused(weights, module):
    arguments = make_arguments(("poisson_deviance", "targets", weights), 5, 17, np.float64)
    for bad in (-0.25, -5e-324, np.nan):
        Y = arguments["Y"].copy()
        Y[2, 3] = Y[4, 16] = bad
        match = re.escape(f"Y must lie in [0, inf), got {bad} in row 2, column 3")
        with pytest.raises(ValueError, match=f"^{match}$"):
            module.poisson_deviance(**arguments | {"Y": Y})


@pytest.mark.parametrize(
    ("quantiles", "error"),
    [
        (0.5, TypeError), ("0.5", TypeError), (("a", "b"), TypeError), ((True, 0.5), TypeError),
        ((), ValueError), ((0.5,), ValueError), ((0.2, 0.5, 0.7), ValueError),
        ((0.5, 0.2), ValueError), ((0.5, 0.5), ValueError), ((0.0, 0.5), ValueError),
        ((0.5, 1.0), ValueError), ((0.5, np.nan), ValueError),
    ],
)  # fmt: skip
def test_bad_quantiles(quantiles, error, module):
    z = np.zeros((3, 2))
    with pytest.raises(error, match=r"^quantiles"):
        module.quantile_error(z, z, quantiles)


@each_dtype
def test_delta_that_is_no_positive_number_is_refused(dtype, module):
    arguments = make_arguments(("huber_error", "targets", "weighted"), 5, 17, dtype)
    out = np.full_like(arguments["z"], 77)
    beyond = [1e-50, 1e300] if dtype is np.float32 else []  # 0 and infinity in the type of z
    for delta in (0, -1, -0.5, np.inf, np.nan, *beyond):
        with pytest.raises(ValueError, match=r"^delta must lie in \[.*, got "):
            module.huber_error(**arguments, delta=delta, out=out)
    for delta in (None, "1", True, 1j, np.ones(1), np.True_):
        with pytest.raises(TypeError, match=r"^delta must be a number, got "):
            module.huber_error(**arguments, delta=delta, out=out)
    assert np.all(out == 77)


@each_dtype
@each_unweighted_case
def test_weights_that_do_not_weigh_are_refused(case, dtype, module):
    arguments = make_arguments(case, 3, 17, dtype)

    def raises(error, weights):
        with pytest.raises(error, match=r"^sample_weight must"):
            call(module, case, arguments | {"sample_weight": weights})

    raises(ValueError, [1, 2, -1])
    raises(ValueError, [1, 2, np.nan])
    raises(ValueError, [1, 2, np.inf])
    raises(ValueError, [0, 0, 0])
    raises(ValueError, [1, 2])
    raises(ValueError, [[1, 2, 3]])
    raises(ValueError, 1.0)
    raises(TypeError, [1, 2, 3j])
    raises(TypeError, ["1", "2", "3"])
    raises(TypeError, np.ones(3, object))
    if dtype is np.float32:  # what counts is the weight in the type of the logits
        raises(ValueError, [1, 2, 1e300])
        raises(ValueError, [1e-300, 0, 0])
