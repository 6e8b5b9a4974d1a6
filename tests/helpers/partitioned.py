"""Rows cut into partitions, in the forms that Dask has for them, and small estimators on these."""

import hashlib
import time

import dask
import dask.array as da
import numpy as np

from dnncore.dask import DaskDNNClassifier, DaskDNNRegressor

# Two of them are empty, and one has a single row.
SIZES = (0, 1, 60, 44, 0, 30, 62, 3)
N_ROWS = sum(SIZES)
PARAMETERS = {
    "hidden_layer_sizes": (6,), "max_iter": 3, "batch_size": 20, "learning_rate_init": 0.02,
    "random_state": 0,
}  # fmt: skip


def classifier(**parameters):
    return DaskDNNClassifier(**{**PARAMETERS, **parameters})


def regressor(loss="squared_error", **parameters):
    return DaskDNNRegressor(loss, **{**PARAMETERS, **parameters})


def rows(n=N_ROWS, n_classes=3, seed=0, dtype=np.float32):
    """X and class indices that can be learned."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).astype(dtype)
    y = (np.abs(X[:, 0] + X[:, 1]) * n_classes / 3).astype(int).clip(0, n_classes - 1)
    return X, y


def cut(x, sizes=SIZES):
    """Cut an array or a frame into parts of so many rows."""
    ends = np.cumsum(sizes)
    assert ends[-1] == x.shape[0]
    part = x.iloc if hasattr(x, "iloc") else x
    return [part[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def delayed(x, sizes=SIZES):
    return [dask.delayed(part) for part in cut(x, sizes)]


def array(x, sizes=SIZES):
    return da.from_array(x, chunks=(tuple(sizes), *x.shape[1:]))


def unknown(x, sizes=SIZES):
    """An array of which the numbers of rows are not known."""
    parts = [
        da.from_delayed(part, (np.nan, *x.shape[1:]), x.dtype, meta=x[:0])
        for part in delayed(x, sizes)
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def slow(part):
    """Return a part, as slowly as a file."""
    time.sleep(0.02)
    return part


def digest(model):
    """Digest of the parameters, the solver's state and the history."""
    found = hashlib.sha256()
    state = model._trainer.state_dict()
    for array in (model.network_.parameters, *state["vectors"]):
        found.update(array.tobytes())
    history = model.history_
    curves = (history.loss_curve, history.validation_losses, history.validation_scores)
    found.update(repr((state["steps"], *curves)).encode())
    return found.hexdigest()


def digest_of_a_fit(client=None, **parameters):
    """Digest of a fit, by the current client if none is given."""
    X, y = rows()
    return digest(classifier(client=client, **parameters).fit(array(X), array(y)))
