"""Training: the loop over epochs, learning-rate schedules, stopping."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core import checks as check
from ._core.csrc import all_finite
from ._core.engine import Engine
from ._core.memory import aligned_zeros
from ._core.threads import (
    ENGINES,
    blas_for,
    single_threaded_blas,
    threads_for_training,
    use_builtin,
)
from ._training.checks import CheckedBlocks, check_rows
from ._training.history import EpochInfo, History, Validation
from ._training.newbob import Newbob
from ._training.settings import StopSettings
from ._training.solvers import LBFGS, N_STATES, SGD, Adam
from ._training.sources import ArraySource, BlockSource, Piece, Source
from .network import Network, check_loss

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "DivergenceWarning",
    "EpochInfo",
    "History",
    "Trainer",
    "Validation",
]

logger = logging.getLogger("dnncore")

DEFAULT_BATCH_SIZE = 200
ADAPTIVE_DIVISOR = 5.0  # as in scikit-learn: the adaptive rate is divided by this ...
ADAPTIVE_LOWEST = 1e-6  # ... until it is this low
MAX_COUNT = 2**63 - 1  # of a C integer
LBFGS_ELEMENTS = 2**20  # of the activations of the rows that L-BFGS takes together
LOSS_ROWS = 4096  # scored together for the loss of the training rows


class DivergenceWarning(UserWarning):
    """Training met a loss or a parameter that is not finite, and went back an epoch."""


class Snapshot(NamedTuple):
    """Parameters and the solver's state, and how many steps have led to them."""

    arrays: list[NDArray[Any]]
    steps: int


class Trainer:
    """Trains a network; keeps the solver's state from one call to the next.

    Parameters
    ----------
    network : Network
        Changed in place.
    solver : SGD, Adam or LBFGS
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
    loss : str, optional
        One that goes with the output of the network; see :meth:`dnncore.Network.loss`.
    huber_delta : float
        Residual from which the loss 'huber' is linear.
    dropout : float in [0, 1)
        Probability with which each output of a hidden layer is left out of a step; the others
        are multiplied by ``1 / (1 - dropout)``. Scoring uses all. Not with LBFGS.

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
        solver: SGD | Adam | LBFGS | None = None,
        *,
        alpha: float = 1e-4,
        batch_size: int = DEFAULT_BATCH_SIZE,
        shuffle: bool = True,
        seed: Any = None,
        n_threads: int | None = None,
        engine: str = "auto",
        loss: str | None = None,
        huber_delta: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        self.network = network
        self.history = History()
        self._rng = np.random.default_rng(seed)
        self._kept: tuple[object, Engine] | None = None
        self._dropout_seed: int | None = None
        self.configure(
            solver,
            alpha=alpha,
            batch_size=batch_size,
            shuffle=shuffle,
            n_threads=n_threads,
            engine=engine,
            loss=loss,
            huber_delta=huber_delta,
            dropout=dropout,
        )

    def configure(
        self,
        solver: SGD | Adam | LBFGS | None = None,
        *,
        alpha: float = 1e-4,
        batch_size: int = DEFAULT_BATCH_SIZE,
        shuffle: bool = True,
        n_threads: int | None = None,
        engine: str = "auto",
        loss: str | None = None,
        huber_delta: float = 1.0,
        dropout: float = 0.0,
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
        self.loss = check_loss(loss, self.network.output)
        self.huber_delta = check.number("huber_delta", huber_delta, low=0.0, low_open=True)
        self.dropout = check.number("dropout", dropout, low=0.0, high=1.0, high_open=True)
        if self.dropout > 0.0 and isinstance(solver, LBFGS):
            raise ValueError("dropout must be 0 with LBFGS, which needs an exact loss")
        if self.dropout > 0.0 and self._dropout_seed is None:
            self._dropout_seed = int(self._rng.integers(2**63))
        self.n_threads = threads_for_training(n_threads, self.batch_size, self.network.n_parameters)
        previous: SGD | Adam | LBFGS | None = getattr(self, "solver", None)
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

    def run_epoch(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Train on every row once.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
        y : integer array (n,) or array (n, n_outputs) of the dtype of the network
            Class indices, or a row of label probabilities for each sample; targets, if the
            output of the network is not softmax.
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
        if isinstance(self.solver, LBFGS):
            raise TypeError("run_epoch needs SGD or Adam; LBFGS trains in fit")
        return self._run_epoch(ArraySource(*check_rows(self.network, X, y, sample_weight)))[0]

    def _engine(self, most_rows: int) -> Engine:
        """The engine of the last call if it fits this one: its buffers are in the cache."""
        network = self.network
        arrays = network.parameters, network.mean_, network.scale_
        options = min(self.batch_size, most_rows), self.n_threads
        builtin = use_builtin(self.engine)
        key = (*map(id, arrays), *options, builtin)  # the engine keeps the arrays alive
        if self._kept is None or self._kept[0] != key:
            self._kept = key, Engine(
                network.layer_sizes, *arrays, *options, builtin=builtin,
                activation=network.activation, output=network.output, missing=network.missing,
            )  # fmt: skip
        return self._kept[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _run_epoch(self, source: Source, end: float = np.inf) -> tuple[float, int]:
        """The mean loss of the rows that were trained on, and how many these are."""
        engine = self._engine(source.most_rows)
        loss, rows = 0.0, 0
        with closing(source.pieces(self.batch_size, self._rng if self.shuffle else None)) as pieces:
            for piece in pieces:
                loss, trained = self._train_on(engine, piece, loss, end - time.monotonic())
                rows += trained
                if trained < piece.n_rows or time.monotonic() >= end:
                    break
        return loss / rows, rows

    def _train_on(
        self, engine: Engine, piece: Piece, loss_before: float, time_left: float
    ) -> tuple[float, int]:
        """The sum of the losses, and the number of rows."""
        unused = self.network.parameters
        state1, state2 = (*self._state, unused, unused)[:2]
        with blas_for(self.engine):
            loss, rows = engine.train_epoch(
                piece.X, piece.label, piece.L, piece.weight, piece.order,
                self.solver.update, state1, state2,
                rate=self.learning_rate, alpha=self.alpha, steps_before=self._steps,
                loss=self.loss, huber_delta=self.huber_delta, dropout=self.dropout,
                dropout_seed=self._dropout_seed or 0, time_left=time_left,
                loss_before=loss_before, **self.solver.constants,
            )  # fmt: skip
        self._steps += -(-rows // min(self.batch_size, piece.n_rows))
        return loss, rows

    # ---------------------------------------------------------------------- many epochs

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: float = 10,
        validate: Callable[[], Validation] | None = None,
        early_stopping: bool = False,
        max_time: float | None = None,
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
        n_iter_no_change : int or numpy.inf
            Training stops after more than so many epochs in a row without improvement.
        validate : callable, optional
            Called after each epoch; returns a :class:`Validation`. Its loss is what the schedule
            'newbob' goes by.
        early_stopping : bool
            Judge by the score that `validate` finds instead of the loss, and leave the network
            with the parameters of the best score.
        max_time : float, optional
            Seconds. When they are over, training ends after the mini-batch under way.
        callback : callable, optional
            Called with an :class:`EpochInfo` after each epoch; returns True to end training.

        Returns
        -------
        {'converged', 'max_iter', 'max_fun', 'max_time', 'stopped', 'diverged'}
            How training ended; 'converged': nothing improved any more; 'stopped': by the
            callback; 'max_fun': by the limit of :class:`LBFGS`.

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
        return self.fit_source(
            ArraySource(*check_rows(self.network, X, y, sample_weight)),
            StopSettings(
                max_iter, tol, n_iter_no_change, validate, early_stopping, max_time, callback
            ),
        )

    def fit_blocks(
        self,
        blocks: Iterable[Any],
        *,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: float = 10,
        validate: Callable[[], Validation] | None = None,
        early_stopping: bool = False,
        max_time: float | None = None,
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> str:
        """As :meth:`fit`, on rows that come block by block.

        Parameters
        ----------
        blocks : iterable
            Each iteration gives (X, y) or (X, y, sample_weight), block by block, the same rows
            every time; X and y as in :meth:`run_epoch`. Weights may be all zero in a block. While
            a block is trained on, a thread gets the next; no others are in memory.
        max_iter, tol, n_iter_no_change, validate, early_stopping, max_time, callback
            As in :meth:`fit`.

        Returns
        -------
        {'converged', 'max_iter', 'max_time', 'stopped', 'diverged'}

        Raises
        ------
        TypeError, ValueError
            If an argument or a block does not fit. The network and the solver's state are as
            before the epoch in which that was found.
        KeyboardInterrupt
            As in :meth:`fit`.

        Notes
        -----
        Rows that are left over from the last mini-batch of a block begin the first one of the
        next. So without `shuffle` the parameters are, with dnncore's own products to the last bit,
        those of :meth:`fit` with all rows. With `shuffle` the rows of each block are shuffled, and
        the blocks stay in their order.
        """
        return self.fit_source(
            BlockSource(CheckedBlocks(self.network, blocks)),
            StopSettings(
                max_iter, tol, n_iter_no_change, validate, early_stopping, max_time, callback
            ),
        )

    def fit_source(self, source: Source, settings: StopSettings) -> str:
        """Train on rows that have been checked; :meth:`fit` and :meth:`fit_blocks` end here.

        For callers inside the package that check their rows themselves: nothing is checked again.

        Parameters
        ----------
        source : Source
            An :class:`~dnncore._training.sources.ArraySource` of checked (X, labels), or a
            :class:`~dnncore._training.sources.BlockSource` of what can be iterated again and
            again and gives such pairs.
        settings : StopSettings

        Returns
        -------
        {'converged', 'max_iter', 'max_fun', 'max_time', 'stopped', 'diverged'}

        Raises
        ------
        TypeError
            If the solver is :class:`LBFGS` and the rows are not all in memory.
        Exception
            Whatever reading a block raises. The network and the solver's state are as before the
            epoch in which that happened.
        """
        loop = _Loop(settings, self.network)
        with self._best_kept(loop):
            if not isinstance(self.solver, LBFGS):
                return self._fit_epochs(source, loop)
            if not isinstance(source, ArraySource):
                raise TypeError(
                    "fit_blocks needs SGD or Adam; LBFGS takes all rows at once, in fit"
                )
            return self._fit_lbfgs(self.solver, source.X, source.labels, loop)

    @contextmanager
    def _best_kept(self, loop: _Loop) -> Iterator[None]:
        """However training ends, the network gets the parameters of the best score."""
        try:
            yield
        finally:
            if loop.best is not None:
                self.network.parameters[...] = loop.best

    def _fit_epochs(self, source: Source, loop: _Loop) -> str:
        newbob = None
        if self.solver.schedule == "newbob":
            newbob = Newbob(self, self._loss_now(source, loop))
        for epoch in range(1, loop.max_iter + 1):
            before = self.snapshot()
            try:
                loss, rows = self._run_epoch(source, loop.end)
            except Exception:  # of reading a block
                self.restore(before)
                raise
            if not (np.isfinite(loss) and all_finite(self.network.parameters)):
                if newbob is not None and newbob.recover():
                    continue
                self.restore(before)
                self._warn_of_divergence(epoch)
                return "diverged"
            info = self._record(epoch, loss, rows, loop)
            stalled = False
            if newbob is not None and newbob.is_due(self._steps - before.steps):
                # The loss of an epoch would not do: it is that of the parameters on the way.
                held_out = info.validation_loss
                now = self._loss_now(source, loop) if held_out is None else held_out
                stalled = newbob.should_end(now, loop.tol)
            self._end_epoch()
            if loop.callback is not None and loop.callback(
                info._replace(learning_rate=self.learning_rate)
            ):
                return "stopped"
            if stalled:
                return "converged"
            if time.monotonic() >= loop.end:
                return "max_time"
            patience_is_over = newbob is None and self.history.no_improvement > loop.patience
            if patience_is_over and self._stop_or_slow_down(epoch):
                return "converged"
        return "max_iter"

    def _fit_lbfgs(self, solver: LBFGS, X: check.Matrix, labels: check.Labels, loop: _Loop) -> str:
        from scipy.optimize import minimize

        network, epoch, ended = self.network, 0, "converged"
        limits: Any = {
            "maxiter": loop.max_iter, "maxfun": solver.max_fun, "gtol": loop.tol
        }  # fmt: skip
        accepted = network.parameters.copy()

        def loss_and_gradient(w: NDArray[np.float64]) -> Any:
            network.parameters[...] = w
            with single_threaded_blas():
                return self._loss_and_gradient(X, labels)

        def after_iteration(intermediate_result: Any) -> None:
            nonlocal epoch, ended
            epoch += 1
            network.parameters[...] = accepted[...] = intermediate_result.x
            info = self._record(epoch, float(intermediate_result.fun), X.shape[0], loop)
            if loop.callback is not None and loop.callback(info):
                ended = "stopped"
            elif time.monotonic() >= loop.end:
                ended = "max_time"
            elif not (loop.early_stopping and self.history.no_improvement > loop.patience):
                return
            raise StopIteration

        try:
            result = minimize(
                loss_and_gradient, network.parameters.astype(np.float64), method="L-BFGS-B",
                jac=True, callback=after_iteration,
                options=limits,
            )  # fmt: skip
        finally:
            network.parameters[...] = accepted
        if epoch == 0:  # Nothing was to be improved: that is an epoch too.
            self._record(1, float(result.fun), X.shape[0], loop)
        if ended == "converged" and result.status == 1:
            return "max_iter" if result.nit >= loop.max_iter else "max_fun"
        return ended

    def _loss_and_gradient(
        self, X: check.Matrix, labels: check.Labels
    ) -> tuple[float, NDArray[np.float64]]:
        """Of all rows, a block of them at a time, so that memory is bounded."""
        network = self.network
        rows = max(1, LBFGS_ELEMENTS // sum(network.layer_sizes))
        blocks = [slice(start, start + rows) for start in range(0, X.shape[0], rows)]
        parts = [labels.take(block) for block in blocks]
        total = sum(part.total for part in parts)
        decay = self.alpha / total
        gradient = np.zeros(network.n_parameters)
        for W, dW in zip(network.coefs_, network.views(gradient)[0], strict=True):
            dW[...] = decay * W
        loss = network.penalty(decay)
        for block, part in zip(blocks, parts, strict=True):
            if part.total > 0.0:
                found = network.back_propagate(
                    X if len(blocks) == 1 else X[block], part, alpha=0.0, loss=self.loss,
                    huber_delta=self.huber_delta,
                )  # fmt: skip
                share = part.total / total
                loss += share * found.loss
                gradient += share * found.flat
        return loss, gradient

    def _record(self, epoch: int, loss: float, rows: int, loop: _Loop) -> EpochInfo:
        """Look at the held-out rows after an epoch that went well, and write it down."""
        found = Validation() if loop.validate is None else loop.validate()
        if self.history.add(loss, rows, found, loop.tol, loop.early_stopping) and (
            loop.best is not None
        ):
            loop.best[...] = self.network.parameters
        return EpochInfo(
            epoch, loop.max_iter, loss, found.score, self.learning_rate, found.loss,
            found.metrics or None,
        )  # fmt: skip

    def _loss_now(self, source: Source, loop: _Loop) -> float:
        """Loss of the present parameters: on the held-out rows, or on those of the training."""
        held_out = None if loop.validate is None else loop.validate().loss
        if held_out is not None:
            return held_out
        loss, total = 0.0, 0.0
        with closing(source.pieces(LOSS_ROWS, None)) as pieces:
            for piece in pieces:
                for X, labels in piece.chunks(LOSS_ROWS):
                    logits = self.network.logits(X)
                    total += labels.total
                    loss += labels.total * self.network.mean_loss(
                        logits, labels, loss=self.loss, huber_delta=self.huber_delta
                    )
        return loss / total + self.network.penalty(self.alpha / total)

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
        self.history.no_improvement = 0
        logger.info("epoch %d: learning rate set to %g", epoch, self.learning_rate)
        return False

    def snapshot(self) -> Snapshot:
        """A copy of the parameters and of the solver's state, for :meth:`restore`."""
        return Snapshot([x.copy() for x in (self.network.parameters, *self._state)], self._steps)

    def restore(self, snapshot: Snapshot) -> None:
        """Give the network and the solver back what they had."""
        self._steps = snapshot.steps
        for array, copy in zip(
            (self.network.parameters, *self._state), snapshot.arrays, strict=True
        ):
            array[...] = copy

    def state_dict(self) -> dict[str, Any]:
        """What the next steps depend on, beside the network, the settings and the history.

        Returns
        -------
        dict
            ``solver``; ``vectors``, a copy of what it keeps; ``steps`` so far;
            ``learning_rate``; ``dropout_seed``; ``random``, the state of the generator of the
            order of rows, as NumPy has it.
        """
        return {
            "solver": self.solver,
            "vectors": [x.copy() for x in self._state],
            "steps": self._steps,
            "learning_rate": self.learning_rate,
            "dropout_seed": self._dropout_seed,
            "random": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises
        ------
        TypeError, ValueError
            If the state does not fit; nothing has been changed.
        """
        solver, vectors = state["solver"], state["vectors"]
        shapes = [(self.network.n_parameters,)] * N_STATES[solver.update]
        if [x.shape for x in vectors] != shapes:
            raise ValueError(
                f"vectors must have shapes {shapes} for {solver}, got {[x.shape for x in vectors]}"
            )
        if not all(np.isfinite(x).all() for x in vectors):
            raise ValueError("vectors must be finite")
        steps = check.integer("steps", state["steps"], low=0, high=MAX_COUNT)
        rate = check.number(
            "learning_rate", state["learning_rate"], low=0.0, high=np.inf, high_open=True
        )
        seed = state["dropout_seed"]
        if seed is not None:
            seed = check.integer("dropout_seed", seed, low=0, high=MAX_COUNT)
        generator = type(self._rng.bit_generator)()
        try:
            generator.state = state["random"]
        except (KeyError, OverflowError) as error:
            raise ValueError(
                f"random must be the state of a {type(generator).__name__}, got "
                f"{state['random']!r:.80}"
            ) from error
        self.solver, self.learning_rate = solver, rate
        self._steps, self._dropout_seed, self._rng = steps, seed, np.random.Generator(generator)
        self._state = [aligned_zeros(x.size, self.network.dtype) for x in vectors]
        for own, x in zip(self._state, vectors, strict=True):
            own[...] = x

    def _warn_of_divergence(self, epoch: int) -> None:
        warnings.warn(
            f"training diverged in epoch {epoch}: the loss or a parameter is not finite. The "
            f"parameters from before that epoch are kept. A learning_rate_init below "
            f"{self.learning_rate:g}, or norm, may help.",
            DivergenceWarning,
            stacklevel=_level_of_caller(),
        )


def _level_of_caller() -> int:
    """The stacklevel at which a warning of the calling function shows the package's caller."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("dnncore."):
        level, frame = level + 1, frame.f_back
    return level


class _Loop:
    """The settings of a fit; `end` is in seconds of time.monotonic."""

    def __init__(self, settings: StopSettings, network: Network) -> None:
        self.max_iter, self.tol = settings.max_iter, settings.tol
        self.patience = settings.n_iter_no_change
        self.validate, self.early_stopping = settings.validate, settings.early_stopping
        self.best = network.parameters.copy() if settings.early_stopping else None
        limit = np.inf if settings.max_time is None else settings.max_time
        self.end = time.monotonic() + limit
        self.callback = settings.callback
