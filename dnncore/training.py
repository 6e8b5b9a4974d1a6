"""Training: solvers, learning-rate schedules, stopping, and the loop over epochs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _validation as check
from ._csrc import all_finite
from ._engine import Engine
from ._memory import aligned_zeros
from ._threads import ENGINES, blas_for, threads_for_training, use_builtin
from .network import Network

logger = logging.getLogger("dnncore")

DEFAULT_BATCH_SIZE = 200
ADAPTIVE_DIVISOR = 5.0  # as in scikit-learn: the adaptive rate is divided by this ...
ADAPTIVE_LOWEST = 1e-6  # ... until it is this low

# Vectors that each update keeps: the velocity, or Adam's two moments.
N_STATES = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2}


class DivergenceWarning(UserWarning):
    """Training met a loss or a parameter that is not finite, and went back an epoch."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent: ``v = momentum v - rate g; w += v``.

    Parameters
    ----------
    learning_rate_init : float
    momentum : float in [0, 1]
    nesterov : bool
        Step by ``momentum v - rate g`` instead, v being the new one.
    schedule : {'constant', 'invscaling', 'adaptive'}
        'invscaling': rate = learning_rate_init / (t + 1)^power_t after t samples, set at
        the end of each epoch. 'adaptive': divided by 5 whenever training would otherwise
        stop for lack of improvement, down to 1e-6.
    power_t : float
    """

    learning_rate_init: float = 0.001
    momentum: float = 0.9
    nesterov: bool = True
    schedule: str = "constant"
    power_t: float = 0.5

    def __post_init__(self) -> None:
        check.number("learning_rate_init", self.learning_rate_init, low=0.0, low_open=True)
        check.number("momentum", self.momentum, low=0.0, high=1.0)
        check.choice("learning_rate", self.schedule, ("constant", "invscaling", "adaptive"))
        check.number("power_t", self.power_t, low=0.0)

    @property
    def update(self) -> str:
        """Which update of the engine this is."""
        if self.momentum == 0.0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def constants(self) -> dict[str, float]:
        """Arguments of the engine."""
        return {"momentum": float(self.momentum)}


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2014) with both bias corrections in the rate.

    ``m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2``;
    ``w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)``

    Parameters
    ----------
    learning_rate_init : float
    beta_1, beta_2 : float in [0, 1)
    epsilon : float
    """

    learning_rate_init: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    schedule = "constant"
    update = "adam"

    def __post_init__(self) -> None:
        check.number("learning_rate_init", self.learning_rate_init, low=0.0, low_open=True)
        check.number("beta_1", self.beta_1, low=0.0, high=1.0, high_open=True)
        check.number("beta_2", self.beta_2, low=0.0, high=1.0, high_open=True)
        check.number("epsilon", self.epsilon, low=0.0, low_open=True)

    @property
    def constants(self) -> dict[str, float]:
        """Arguments of the engine."""
        return {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}


class EpochInfo(NamedTuple):
    """What a callback is told after an epoch.

    Attributes
    ----------
    epoch : int
        1 for the first of this fit.
    max_iter : int
    loss : float
        Mean over the epoch's rows of the loss before each update.
    validation_score : float or None
    learning_rate : float
    """

    epoch: int
    max_iter: int
    loss: float
    validation_score: float | None
    learning_rate: float


@dataclass
class History:
    """What training has left behind, over all epochs of a trainer.

    Attributes
    ----------
    loss_curve : list of float
        Loss of every epoch.
    validation_scores : list of float
        Validation score after every epoch that had one.
    best_loss : float
    best_validation_score : float
    n_iter : int
        Epochs.
    t : int
        Samples trained on.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    best_loss: float = np.inf
    best_validation_score: float = -np.inf
    n_iter: int = 0
    t: int = 0


class Trainer:
    """Trains a network; keeps the solver's state from one call to the next.

    Parameters
    ----------
    network : Network
        Changed in place.
    solver : SGD or Adam
    alpha : float
        L2 penalty of the weights: ``alpha / (2 sum w) sum W^2`` is added to the loss of each
        mini-batch.
    batch_size : int
        Rows of a mini-batch. The last, shorter one of an epoch is trained on too.
    shuffle : bool
        Whether every epoch takes the rows in a new order.
    seed : int, SeedSequence, Generator or None
        Of the order, through ``numpy.random.default_rng``.
    n_threads : int, optional
        Default: as many as the work of a step occupies.
    engine : {'auto', 'builtin', 'blas'}
        Whose matrix products: dnncore's own, which give the same bits for any number of
        threads and on any instruction set, or those of SciPy's BLAS. 'auto' takes the
        faster.

    Attributes
    ----------
    history : History
    learning_rate : float
        The rate of the next step, before Adam's bias correction.

    Examples
    --------
    >>> import numpy as np
    >>> from dnncore import Network
    >>> from dnncore.training import Adam, Trainer
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> trainer = Trainer(Network((4, 8, 2), seed=0), Adam(0.01), seed=0)
    >>> losses = [trainer.run_epoch(X, y) for _ in range(20)]
    >>> losses[-1] < losses[0]
    True
    """

    def __init__(
        self,
        network: Network,
        solver: SGD | Adam | None = None,
        *,
        alpha: float = 1e-4,
        batch_size: int = DEFAULT_BATCH_SIZE,
        shuffle: bool = True,
        seed: Any = None,
        n_threads: int | None = None,
        engine: str = "auto",
    ) -> None:
        self.network = network
        self.history = History()
        self._rng = np.random.default_rng(seed)
        self._no_improvement = 0
        self._kept: tuple[object, Engine] | None = None
        self.configure(
            solver,
            alpha=alpha,
            batch_size=batch_size,
            shuffle=shuffle,
            n_threads=n_threads,
            engine=engine,
        )

    def configure(
        self,
        solver: SGD | Adam | None = None,
        *,
        alpha: float = 1e-4,
        batch_size: int = DEFAULT_BATCH_SIZE,
        shuffle: bool = True,
        n_threads: int | None = None,
        engine: str = "auto",
    ) -> None:
        """Change settings (as in the constructor) between epochs.

        The learning rate starts anew if the solver changes, and the solver's state if the new
        solver has another kind of state.
        """
        solver = solver if solver is not None else Adam()
        self.alpha = check.number("alpha", alpha, low=0.0)
        self.batch_size = check.integer("batch_size", batch_size, low=1)
        self.shuffle = shuffle
        self.engine = check.choice("engine", engine, ENGINES)
        self.n_threads = threads_for_training(n_threads, self.batch_size, self.network.n_parameters)
        previous: SGD | Adam | None = getattr(self, "solver", None)
        if solver == previous:
            return
        self.solver = solver
        self.learning_rate = float(solver.learning_rate_init)
        if previous is None or N_STATES[solver.update] != N_STATES[previous.update]:
            self._steps = 0
            self._state = [
                aligned_zeros(self.network.n_parameters, self.network.dtype)
                for _ in range(N_STATES[solver.update])
            ]

    # ------------------------------------------------------------------------- one epoch

    def run_epoch(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Train on every row once.

        Parameters
        ----------
        X : array (n, n_features), of the dtype of the network
        y : integer array (n,) or array (n, n_outputs) of the dtype of the network
            Class indices, or a row of label probabilities for each sample.
        sample_weight : array (n,), optional
            Not negative and not all zero.

        Returns
        -------
        float
            Mean over the rows of the loss of their mini-batch before its update.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has been changed.
        KeyboardInterrupt
            On Ctrl-C, after the step under way; the network stays usable.
        """
        X, labels = self._check(X, y, sample_weight)
        return self._run_epoch(self._engine(X), X, labels)

    def _check(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[NDArray[Any], check.Labels]:
        sizes, dtype = self.network.layer_sizes, self.network.dtype
        X = check.finite_matrix("X", X, sizes[0], dtype)
        if X.shape[0] == 0:
            raise ValueError(f"X must have at least 1 row, got shape {X.shape}")
        shape = (X.shape[0], sizes[-1])
        labels = check.labels("y", y, sample_weight, shape, "X and the network", dtype)
        if labels.L is not None and not all_finite(labels.L):
            raise ValueError("y must be finite")
        return X, labels

    def _engine(self, X: NDArray[Any]) -> Engine:
        """The engine of the last call if it fits this one: its buffers are in the cache."""
        network = self.network
        arrays = network.parameters, network.mean_, network.scale_
        options = min(self.batch_size, X.shape[0]), self.n_threads
        builtin = use_builtin(self.engine)
        key = (*map(id, arrays), *options, builtin)  # the engine keeps the arrays alive
        if self._kept is None or self._kept[0] != key:
            self._kept = key, Engine(network.layer_sizes, *arrays, *options, builtin=builtin)
        return self._kept[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _run_epoch(self, engine: Engine, X: NDArray[Any], labels: check.Labels) -> float:
        n = X.shape[0]
        order = self._rng.permutation(n) if self.shuffle else np.arange(n)
        unused = self.network.parameters
        state1, state2 = (*self._state, unused, unused)[:2]
        with blas_for(self.engine):
            loss = engine.train_epoch(
                X, labels.label, labels.L, labels.weight, order.astype(np.intp, copy=False),
                self.solver.update, state1, state2,
                rate=self.learning_rate, alpha=self.alpha, steps_before=self._steps,
                **self.solver.constants,
            )  # fmt: skip
        self._steps += -(-n // min(self.batch_size, n))
        return loss

    # ---------------------------------------------------------------------- many epochs

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        validate: Callable[[], float] | None = None,
        early_stopping: bool = False,
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> str:
        """Train until the loss, or the validation score, no longer improves.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`run_epoch`.
        max_iter : int
            Epochs at most.
        tol : float
            Improvement that counts.
        n_iter_no_change : int
            Training stops after more than so many epochs in a row without improvement.
        validate : callable, optional
            Called after each epoch; returns a score, larger being better.
        early_stopping : bool
            Judge by `validate` instead of the loss, and leave the network with the
            parameters of the best score.
        callback : callable, optional
            Called with an :class:`EpochInfo` after each epoch.

        Returns
        -------
        {'converged', 'max_iter', 'diverged'}
            How training ended; 'converged': nothing improved any more.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has been changed.
        KeyboardInterrupt
            On Ctrl-C. The network has the parameters it had reached, or, with
            `early_stopping`, the best ones.

        Warns
        -----
        DivergenceWarning
            If loss or parameters cease to be finite. Training ends with the parameters and
            the solver's state from before that epoch.
        """
        X, labels = self._check(X, y, sample_weight)
        max_iter = check.integer("max_iter", max_iter, low=1)
        patience = check.integer("n_iter_no_change", n_iter_no_change, low=1)
        tol = check.number("tol", tol, low=0.0)
        if early_stopping and validate is None:
            raise ValueError("early_stopping needs validate")
        engine, history = self._engine(X), self.history
        best = self.network.parameters.copy() if early_stopping else None
        try:
            for epoch in range(1, max_iter + 1):
                before = self._snapshot()
                loss = self._run_epoch(engine, X, labels)
                if not (np.isfinite(loss) and all_finite(self.network.parameters)):
                    self._restore(before)
                    self._warn_of_divergence(epoch)
                    return "diverged"
                history.n_iter += 1
                history.t += X.shape[0]
                history.loss_curve.append(loss)
                score = None if validate is None else float(validate())
                improved_best = self._judge(score, tol, early_stopping)
                if best is not None and improved_best:
                    best[...] = self.network.parameters
                self._end_epoch()
                if callback is not None:
                    callback(EpochInfo(epoch, max_iter, loss, score, self.learning_rate))
                if self._no_improvement > patience and self._stop_or_slow_down(epoch):
                    return "converged"
            return "max_iter"
        finally:
            if best is not None:
                self.network.parameters[...] = best

    def _judge(self, score: float | None, tol: float, early_stopping: bool) -> bool:
        """Count epochs without improvement; whether the score is the best so far."""
        history = self.history
        loss, improved_best = history.loss_curve[-1], False
        if early_stopping and score is not None:
            improved = score >= history.best_validation_score + tol
        else:
            improved = loss <= history.best_loss - tol
        self._no_improvement = 0 if improved else self._no_improvement + 1
        history.best_loss = min(history.best_loss, loss)
        if score is not None:
            history.validation_scores.append(score)
            improved_best = score > history.best_validation_score
            history.best_validation_score = max(history.best_validation_score, score)
        return improved_best

    def _end_epoch(self) -> None:
        if self.solver.schedule == "invscaling" and isinstance(self.solver, SGD):
            self.learning_rate = float(
                self.solver.learning_rate_init / (self.history.t + 1) ** self.solver.power_t
            )

    def _stop_or_slow_down(self, epoch: int) -> bool:
        if self.solver.schedule != "adaptive" or self.learning_rate <= ADAPTIVE_LOWEST:
            logger.info("epoch %d: no improvement, training stops", epoch)
            return True
        self.learning_rate /= ADAPTIVE_DIVISOR
        self._no_improvement = 0
        logger.info("epoch %d: learning rate set to %g", epoch, self.learning_rate)
        return False

    def _snapshot(self) -> tuple[list[NDArray[Any]], int]:
        return [x.copy() for x in (self.network.parameters, *self._state)], self._steps

    def _restore(self, snapshot: tuple[list[NDArray[Any]], int]) -> None:
        saved, self._steps = snapshot
        for array, copy in zip((self.network.parameters, *self._state), saved, strict=True):
            array[...] = copy

    def _warn_of_divergence(self, epoch: int) -> None:
        warnings.warn(
            f"training diverged in epoch {epoch}: the loss or a parameter is not finite. The "
            f"parameters from before that epoch are kept. A learning_rate_init below "
            f"{self.learning_rate:g}, or norm, may help.",
            DivergenceWarning,
            stacklevel=4,
        )
