"""Single steps of a trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._core import checks as check
from .._core.checks import is_sparse
from .._core.names import TARGET_INTERVALS
from .._core.threads import blas_for, threads_for_step, use_builtin
from ..stepper import Stepper
from .checks import check_rows
from .fit_state import Snapshot
from .optimizer import Optimizer
from .solvers import LBFGS


class StepOptimizer(Optimizer):
    """An optimizer that also makes single steps, each on one mini-batch given by the caller.

    Arrays that need no conversion go straight to the compiled :class:`dnncore.stepper.Stepper`. All
    others, and all errors, take the way of the other methods.
    """

    _stepper: Stepper | None = None

    def step(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Make one step: forward, backward and update on all rows as one mini-batch.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Rows, in the dtype of the network.
        y : integer array of shape (n,) or array of shape (n, n_outputs)
            Labels or targets, as in :meth:`run_epoch`.
        sample_weight : array of shape (n,), default=None
            Sample weights, non-negative and not all zero.

        Returns
        -------
        float
            Mean loss of the rows before the update, including the L2 penalty. If it is not
            finite, the parameters may not be finite either.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the network is unchanged.

        Notes
        -----
        Contiguous arrays of the dtype of the network, with intp class indices, take the least time:
        a few microseconds more than the arithmetic. The learning rate is
        `learning_rate`, which may be set between steps; the schedule of the solver is not followed.
        """
        loss = None
        if self._stepper is not None and self._is_current(self._stepper):
            loss = self._stepper.try_step(X, y, sample_weight)
        if loss is None:
            X, labels = check_rows(self.network, X, y, sample_weight)
            stepper = self._stepper_for(X.shape[0])
            with blas_for(self.engine):
                loss = stepper.step_on(X, labels.label, labels.L, labels.weight)
        return loss

    def learn_one(self, x: Any, y: Any) -> float:
        """Make one step on one row.

        Parameters
        ----------
        x : array of shape (n_features,)
            Row, in the dtype of the network.
        y : int, float or array of shape (n_outputs,)
            Class index, or soft labels or targets.

        Returns
        -------
        float
            Loss of the row before the update, as in :meth:`step`.
        """
        loss = None
        if self._stepper is not None and self._is_current(self._stepper):
            loss = self._stepper.try_learn_one(x, y)
        if loss is None:
            row, target = np.asarray(x), np.asarray(y)
            if row.ndim != 1:
                raise ValueError(f"x must have shape ({self.network.n_features},), got {row.shape}")
            classes = self.network.output == "softmax" and target.ndim == 0
            if not classes and target.dtype.kind in "fiub":
                with np.errstate(over="ignore"):  # found by the check of the targets
                    target = target.astype(self.network.dtype, copy=False)
            shared = target.ndim == 0 and self.network.output == "sorted"
            flat = classes or shared
            loss = self.step(row[None], target.reshape(-1) if flat else target.reshape(1, -1))
        return loss

    def forward(self, X: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Compute the outputs, and keep what :meth:`backward` needs.

        Dropout applies, as in every step.

        Parameters
        ----------
        X : array of shape (n, n_features) or (n_features,)
            Rows, in the dtype of the network.
        out : array of shape (n, n_outputs) or (n_outputs,), default=None
            Array to store the outputs in.

        Returns
        -------
        array of shape (n, n_outputs) or (n_outputs,)
            Probabilities, or numbers of a regression.
        """
        outputs = None
        if self._stepper is not None and self._is_current(self._stepper):
            outputs = self._stepper.try_forward(X, out)
        if outputs is None:
            if is_sparse(X):
                raise TypeError("X must be dense, got a sparse matrix; use X.toarray()")
            given = np.asarray(X)
            rows = self.network.check_rows(given[None] if given.ndim == 1 else given)
            if rows.shape[0] == 0:
                raise ValueError(f"X must have at least 1 row, got shape {rows.shape}")
            shape = (*given.shape[:-1], self.network.layer_sizes[-1])
            outputs = check.output("out", out, shape, self.network.dtype, apart=(rows,))
            with blas_for(self.engine):
                self._stepper_for(rows.shape[0]).forward_on(rows, outputs)
        return outputs

    def backward(self, d_outputs: ArrayLike | None = None, *, dz: ArrayLike | None = None) -> None:
        """Make one step from the gradient of a loss of one's own.

        Parameters
        ----------
        d_outputs : array of shape (n, n_outputs)
            Gradient of the loss with respect to the outputs that :meth:`forward` has returned.
        dz : array of shape (n, n_outputs)
            Gradient with respect to the logits, instead.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid, or there was no :meth:`forward` since the last step; the
            network is unchanged.

        Notes
        -----
        The L2 penalty is added to the loss as in :meth:`step`, for n rows of weight 1.

        Examples
        --------
        >>> import numpy as np
        >>> from dnncore import Network
        >>> from dnncore.training import SGD, Trainer
        >>> trainer = Trainer(Network((4, 8, 1), seed=0, output="identity"), SGD(0.1), seed=0)
        >>> X, y = np.ones((5, 4)), np.zeros((5, 1))
        >>> outputs = trainer.forward(X)
        >>> trainer.backward(np.sign(outputs - y) / 5)  # of the mean absolute error
        """
        if (d_outputs is None) == (dz is None):
            raise TypeError("backward needs one of d_outputs and dz")
        stepper = self._stepper
        if stepper is None or stepper.n_forward == 0 or not self._is_current(stepper):
            raise ValueError("backward needs a forward pass, which forward makes")
        if not self._uses_blas and stepper.try_backward(d_outputs, dz):
            return
        name, given = ("dz", dz) if d_outputs is None else ("d_outputs", d_outputs)
        d = np.asarray(given)
        shape = stepper.n_forward, stepper.n_outputs
        if d.shape == shape[1:] and shape[0] == 1:
            d = d[None]
        d = check.array_like(name, d, shape, "the outputs", self.network.dtype)
        if not np.isfinite(d).all():
            raise ValueError(f"{name} must be finite")
        with blas_for(self.engine):
            stepper.try_backward(*((None, d) if d_outputs is None else (d, None)))

    def stepper(self, max_rows: int = 1) -> Stepper:
        """Return the compiled steps, for nogil code in Cython.

        Parameters
        ----------
        max_rows : int, default=1
            Largest number of rows of a step.

        Returns
        -------
        dnncore.stepper.Stepper
            See ``stepper.pxd``. It shares the network, the state of the solver, the number of steps
            and the learning rate with the trainer.
        """
        rows = check.integer("max_rows", max_rows, low=1)
        return self._new_stepper(rows)

    # --------------------------------------------------------------------------------------

    @property
    def _uses_blas(self) -> bool:
        return not use_builtin(self.engine)

    def _is_current(self, stepper: Stepper) -> bool:
        network = self.network
        return stepper.mean is network.mean_ and stepper.scale is network.scale_

    def _stepper_for(self, n_rows: int) -> Stepper:
        """Return the stepper of this trainer, made anew if it is outdated or too small."""
        stepper = self._stepper
        if stepper is None or stepper.max_rows < n_rows or not self._is_current(stepper):
            stepper = self._stepper = self._new_stepper(n_rows)
        return stepper

    def _new_stepper(self, max_rows: int) -> Stepper:
        if isinstance(self.solver, LBFGS):
            raise TypeError("a step needs SGD or Adam; LBFGS trains in fit")
        n_threads = threads_for_step(self._n_threads, max_rows, self.network.n_parameters)
        low, high = TARGET_INTERVALS.get(self.network.output, (-np.inf, np.inf))
        return Stepper(
            self.network, self._new_engine(max_rows, n_threads), self._counter, self._rate,
            low=low, high=high,
        )  # fmt: skip

    def _train_epoch(self, *arguments: Any) -> tuple[float, int]:
        self._forget_forward()
        return super()._train_epoch(*arguments)

    def restore(self, snapshot: Snapshot) -> None:
        self._forget_forward()
        super().restore(snapshot)

    def _forget_forward(self) -> None:
        """Let no :meth:`backward` follow a forward pass with parameters that are changed."""
        if self._stepper is not None and self._stepper.n_forward > 0:
            self._stepper = None

    def _forget_engines(self) -> None:
        super()._forget_engines()
        self._stepper = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_stepper": None}
