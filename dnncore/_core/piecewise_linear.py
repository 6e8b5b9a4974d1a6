"""The piecewise-linear embedding of numbers: what it does not learn, and views of what it does."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import checks as check
from .public import set_module

# The reciprocals of wider bins are finite in float32.
NARROWEST = float(np.finfo(np.float32).tiny)


@set_module("dnncore.network")
class EmbeddingParameters(NamedTuple):
    """What a piecewise-linear embedding learns, or the gradients with respect to it.

    Attributes
    ----------
    s : array (n_outputs,)
        Scale of each output.
    V : array (n_numeric, size, n_bins)
        Slope of each output in each bin, times the width of the bin.
    c : array (n_numeric, size)
        Value of each output below the first edge.
    """

    s: NDArray[Any]
    V: NDArray[Any]
    c: NDArray[Any]


@set_module("dnncore")
class PiecewiseLinear:
    """Piecewise-linear embedding of numbers, the optional first layer of a network.

    The first `n_numeric` of the inputs x are numbers. Each has bins t, and is encoded as::

        q[f, t] = clip((x[f] - lower[f, t]) * inverse_width[f, t], 0, 1)

    (Gorishniy, Rubachev and Babenko 2022). The outputs are the numbers, `size` learnt functions
    of each number, which are linear within each bin, and the other inputs, all with a learnt
    scale::

        e[f, d] = c[f, d] + sum_t q[f, t] V[f, d, t]
        out = s * (x[:n_numeric], e, x[n_numeric:])

    Parameters
    ----------
    lower : array (n_numeric, n_bins)
        Lower edge of each bin.
    inverse_width : array (n_numeric, n_bins)
        Reciprocal of the width of each bin; 0 for a bin that is not used.
    n_inputs : int
        Number of inputs, at least n_numeric.
    size : int, default=3
        Number of functions of each number.

    Attributes
    ----------
    lower, inverse_width : array (n_numeric, n_bins)
        As the parameters, read-only; `lower` is 0 for bins that are not used.
    n_inputs, n_numeric, n_bins, size : int
        Numbers of inputs, of numbers among them, of bins, and of functions of each number.
    n_outputs : int
        Number of outputs, ``n_numeric * size + n_inputs``.
    n_parameters : int
        Number of elements of s, V and c.
    dtype : numpy.dtype
        Data type of `lower` and `inverse_width`: float32 if both are, else float64.

    Raises
    ------
    TypeError, ValueError
        If a shape or value is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from dnncore import Network, PiecewiseLinear
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> embedding = PiecewiseLinear.from_rows(X, n_numeric=4)
    >>> embedding
    PiecewiseLinear(n_inputs=5, n_numeric=4, n_bins=16, size=3)
    >>> Network((embedding.n_outputs, 8, 2), embedding=embedding).predict_proba(X).shape
    (100, 2)
    """

    def __init__(
        self, lower: ArrayLike, inverse_width: ArrayLike, n_inputs: int, size: int = 3
    ) -> None:
        arrays: list[NDArray[Any]] = [np.asarray(lower), np.asarray(inverse_width)]
        dtype = np.float32 if all(x.dtype == np.float32 for x in arrays) else np.float64
        edges: NDArray[Any] = np.array(arrays[0], dtype, order="C")
        inverse: NDArray[Any] = np.array(arrays[1], dtype, order="C")
        if edges.ndim != 2 or edges.shape[1] == 0:
            raise ValueError(
                f"lower must have shape (n_numeric, n_bins) with at least 1 bin, got {edges.shape}"
            )
        if inverse.shape != edges.shape:
            raise ValueError(
                f"inverse_width must have shape {edges.shape}, like lower, got {inverse.shape}"
            )
        for name, x in (("lower", edges), ("inverse_width", inverse)):
            if not np.isfinite(x).all():
                raise ValueError(f"{name} must be finite")
        if not np.greater_equal(inverse, 0.0).all():
            raise ValueError(f"inverse_width must be non-negative, got {inverse.min()}")
        edges[inverse == 0] = 0.0  # so that a difference from it is finite
        edges.flags.writeable = inverse.flags.writeable = False
        self.lower, self.inverse_width = edges, inverse
        self.n_numeric, self.n_bins = map(int, edges.shape)
        self.n_inputs = check.integer("n_inputs", n_inputs, low=max(1, self.n_numeric))
        self.size = check.integer("size", size, low=1)

    @classmethod
    def from_rows(
        cls, X: ArrayLike, n_numeric: int, n_bins: int = 16, size: int = 3
    ) -> PiecewiseLinear:
        """Create an embedding whose bins contain equal numbers of the given rows.

        Parameters
        ----------
        X : array (n, n_inputs)
            Finite rows, at least one.
        n_numeric : int
            Number of columns, from the first one on, that are numbers.
        n_bins : int, default=16
            Number of bins of each number. Their edges are quantiles; where these are equal, there
            are fewer bins, and a constant column has none.
        size : int, default=3
            Number of functions of each number.

        Returns
        -------
        PiecewiseLinear
            Of the dtype of X.

        Raises
        ------
        TypeError, ValueError
            If X is not a float32 or float64 matrix, or an argument is invalid.
        """
        X = check.matrix("X", X)
        if X.shape[0] == 0:
            raise ValueError(f"X must have at least 1 row, got shape {X.shape}")
        X = check.finite_matrix("X", X, X.shape[1], X.dtype)
        n_numeric = check.integer("n_numeric", n_numeric, low=0, high=X.shape[1])
        n_bins = check.integer("n_bins", n_bins, low=1)
        lower, inverse_width = np.zeros((2, n_numeric, n_bins), X.dtype)
        levels = np.linspace(0.0, 1.0, n_bins + 1)
        for f in range(n_numeric):
            quantiles = np.quantile(X[:, f].astype(np.float64), levels)
            edges = np.unique(quantiles.astype(X.dtype)).astype(np.float64)
            width = np.diff(edges)
            used = width > NARROWEST
            lower[f, : width.size] = edges[:-1]
            inverse_width[f, : width.size][used] = 1.0 / width[used]
        return cls(lower, inverse_width, X.shape[1], size)

    @property
    def n_outputs(self) -> int:
        return self.n_numeric * self.size + self.n_inputs

    @property
    def n_parameters(self) -> int:
        return self.n_outputs + self.n_numeric * self.size * (self.n_bins + 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.lower.dtype

    def __repr__(self) -> str:
        return (
            f"PiecewiseLinear(n_inputs={self.n_inputs}, n_numeric={self.n_numeric}, "
            f"n_bins={self.n_bins}, size={self.size})"
        )

    # For the other modules of the package.

    def astype(self, dtype: DTypeLike) -> PiecewiseLinear:
        """Return this embedding with `lower` and `inverse_width` of the given dtype."""
        if self.dtype == dtype:
            return self
        arrays = self.lower.astype(dtype), self.inverse_width.astype(dtype)
        return PiecewiseLinear(*arrays, self.n_inputs, self.size)

    def views(self, flat: NDArray[Any]) -> EmbeddingParameters:
        """Return s, V and c as views of the first elements of a parameter vector."""
        V, c = self.n_outputs, self.n_parameters - self.n_numeric * self.size
        shape = (self.n_numeric, self.size, self.n_bins)
        return EmbeddingParameters(
            flat[:V], flat[V:c].reshape(shape), flat[c : self.n_parameters].reshape(shape[:2])
        )

    def initialise(self, flat: NDArray[Any], random: np.random.RandomState) -> None:
        """Set s to 1 and c to 0, and draw V uniformly from +-1 / sqrt(n_bins)."""
        s, V, c = self.views(flat)
        bound = 1.0 / np.sqrt(self.n_bins)
        s[...], c[...] = 1.0, 0.0
        V[...] = random.uniform(-bound, bound, V.shape)


def check_embedding(embedding: object, n_outputs: int, dtype: DTypeLike) -> PiecewiseLinear:
    """Return an embedding, checked to have that many outputs, in the given dtype."""
    if not isinstance(embedding, PiecewiseLinear):
        raise TypeError(f"embedding must be a PiecewiseLinear, got {type(embedding).__name__}")
    if embedding.n_outputs != n_outputs:
        raise ValueError(
            f"layer_sizes[0] must be {embedding.n_outputs}, the number of outputs of the "
            f"embedding, got {n_outputs}"
        )
    return embedding.astype(dtype)
