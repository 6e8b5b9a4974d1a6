"""The optimizer: a network, its solver, and the solver's state."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import checks as check
from .._core.checks import Matrix
from .._core.csrc import all_finite, sum_squares
from .._core.engine import Engine, multiplies_stored
from .._core.memory import aligned_zeros
from .._core.names import ENGINES, check_loss, loss_parameters
from .._core.threads import blas_for, threads_for_training, use_builtin
from ..network import Network
from .fit_state import Snapshot
from .settings import LayerFactors, check_layer_factors
from .solvers import LBFGS, MAX_STATES, N_STATES, SGD, Adam
from .sources import Piece, RemoteRows, Source

DEFAULT_BATCH_SIZE = 200
MAX_COUNT = 2**63 - 1  # largest C integer
LARGE = 1e12  # a sum of squares; the outputs of a network with smaller parameters are finite
LOSS_ROWS = 4096  # rows scored at a time for the loss of the training rows


class Optimizer:
    """Trains a network with a solver, one epoch at a time.

    This is the part of a :class:`dnncore.training.Trainer` that the loops of a fit use. It expects
    checked rows. The trainer is public and this class is not, so a member for the loops alone has a
    leading underscore: `_steps`, `_n_steps`, `_steps_of`, `_train_epoch`, `_update_from`,
    `_loss_of` and `_loss_options`.

    Parameters
    ----------
    network : Network
        Network to train, in place.
    solver : SGD, Adam or LBFGS
        Solver for the weights.
    seed : int, SeedSequence, Generator or None
        Seed of the order of rows and of dropout.
    **settings
        Arguments of :meth:`configure`.

    Attributes
    ----------
    learning_rate : float
        Learning rate of the next step, before Adam's bias correction.
    """

    _cached_engine: tuple[tuple[object, ...], Engine] | None

    def __init__(
        self,
        network: Network,
        solver: SGD | Adam | LBFGS | None = None,
        *,
        seed: Any = None,
        **settings: Any,
    ) -> None:
        self.network = network
        self._rng = np.random.default_rng(seed)
        # Arrays, because compiled steps use them too.
        self._counter, self._rate = np.zeros(1, np.int64), np.zeros(1)
        self._dropout_seed: int | None = None
        self.configure(solver, **settings)

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
        quantiles: Sequence[float] | None = None,
        dropout: float = 0.0,
        layer_factors: Sequence[tuple[float, float, float]] | None = None,
        max_grad_norm: float | None = None,
    ) -> None:
        """Change settings of the constructor between epochs.

        The learning rate is reset if the solver changes. The solver's state is reset if the new
        solver has another kind of state.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the settings are unchanged.
        """
        solver = solver if solver is not None else Adam()
        if not isinstance(solver, (SGD, Adam, LBFGS)):
            raise TypeError(f"solver must be SGD, Adam, AdamW or LBFGS, got {solver!r}")
        network = self.network
        alpha = check.number("alpha", alpha, low=0.0)
        batch_size = check.integer("batch_size", batch_size, low=1)
        engine = check.choice("engine", engine, ENGINES)
        loss = check_loss(loss, network.output)
        of_loss = loss_parameters(loss, network.layer_sizes[-1], huber_delta, quantiles)
        huber_delta = float(huber_delta)
        dropout = check.number("dropout", dropout, low=0.0, high=1.0, high_open=True)
        factors = check_layer_factors(
            layer_factors, len(network.coefs_) + (network.embedding is not None)
        )
        if max_grad_norm is not None:
            max_grad_norm = check.number(
                "max_grad_norm", max_grad_norm, low=0.0, low_open=True, may_be_infinite=True
            )
        if isinstance(solver, LBFGS) and (dropout > 0.0 or max_grad_norm is not None):
            raise ValueError(
                "dropout must be 0 and max_grad_norm None with LBFGS, which needs an exact loss"
            )
        threads = threads_for_training(n_threads, batch_size, network.n_parameters)

        # From here on, nothing is refused.
        self.alpha, self.batch_size, self.shuffle, self.engine = alpha, batch_size, shuffle, engine
        self.loss, self._loss_parameters = loss, np.array(of_loss)
        self.huber_delta, self.quantiles = huber_delta, quantiles
        self.dropout, self.layer_factors, self.max_grad_norm = dropout, factors, max_grad_norm
        if dropout > 0.0 and self._dropout_seed is None:
            self._dropout_seed = int(self._rng.integers(2**63))
        self._n_threads, self.n_threads = n_threads, threads
        self._forget_engines()
        previous: SGD | Adam | LBFGS | None = getattr(self, "solver", None)
        if solver == previous:
            return
        self.solver = solver
        self.learning_rate = float(solver.learning_rate_init)
        kept = previous is not None and N_STATES[solver.update] == N_STATES[previous.update]
        if not kept or isinstance(solver, LBFGS) != isinstance(previous, LBFGS):
            self._steps = 0
            self._state = [
                aligned_zeros(self.network.n_parameters, self.network.dtype)
                for _ in range(N_STATES[solver.update])
            ]

    @property
    def _loss_options(self) -> dict[str, Any]:
        """The arguments of :meth:`dnncore.Network.loss` that select the loss."""
        names = ("loss", "huber_delta", "quantiles")
        return {name: getattr(self, name) for name in names}

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step, before Adam's bias correction."""
        rate: float = self._rate.item()
        return rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._rate[0] = _check_rate(rate)

    @property
    def _steps(self) -> int:
        """Number of steps so far."""
        steps: int = self._counter.item()
        return steps

    @_steps.setter
    def _steps(self, steps: int) -> None:
        self._counter[0] = steps

    # ------------------------------------------------------------------------------ steps

    def _n_steps(self, n_rows: int) -> int:
        """Return the number of mini-batches of n_rows rows."""
        return -(-n_rows // self.batch_size)

    def _steps_of(self, source: Source | RemoteRows) -> int:
        """Return the number of steps of an epoch; 1 if it is not known yet."""
        if isinstance(source, RemoteRows):
            return source.n_steps
        return 1 if source.n_rows is None else self._n_steps(source.n_rows)

    def _train_epoch(
        self,
        source: Source | RemoteRows,
        end: float = np.inf,
        rates: NDArray[np.float64] | None = None,
    ) -> tuple[float, int]:
        """Train on every row once, or until ``time.monotonic`` reaches `end`.

        Parameters
        ----------
        source : Source
            Training rows.
        end : float, default=inf
            Time to end.
        rates : array of shape (n_steps,), default=None
            Learning rate of each step instead of `learning_rate`; steps beyond n_steps have the
            last one.

        Returns
        -------
        float
            Mean over the rows seen of the loss of their mini-batch before its update.
        int
            Number of rows seen.
        """
        if isinstance(source, RemoteRows):
            return source.train_epoch(self, end, rates)
        loss, rows, first_step = 0.0, 0, self._steps
        with closing(source.pieces(self.batch_size, self._rng if self.shuffle else None)) as pieces:
            for piece in pieces:
                of_piece = None
                if rates is not None:
                    step = self._steps - first_step + np.arange(self._n_steps(piece.n_rows))
                    of_piece = rates[np.minimum(step, len(rates) - 1)]
                loss, trained = self._train_on(
                    source.max_rows, piece, of_piece, loss, end - time.monotonic()
                )
                rows += trained
                if trained < piece.n_rows or time.monotonic() >= end:
                    break
        return loss / rows, rows

    def _update_from(self, gradient: NDArray[Any], rate: float) -> None:
        """Make one step, given the gradient with the L2 penalty."""
        engine = self._new_engine(1, self.n_threads)
        engine.update(gradient, rate=rate, steps_before=self._steps)
        self._steps += 1

    def _train_on(
        self,
        max_rows: int,
        piece: Piece,
        rates: NDArray[np.float64] | None,
        loss_before: float,
        time_left: float,
    ) -> tuple[float, int]:
        """Train on a piece of a source of `max_rows`; return the sum of the losses and the number
        of rows seen."""
        engine = self._engine(piece.X, max_rows)
        with blas_for(self.engine):
            loss, rows = engine.train_epoch(
                piece.X, piece.label, piece.L, piece.weight, piece.order,
                rate=self.learning_rate, rates=rates, steps_before=self._steps,
                time_left=time_left, loss_before=loss_before,
            )  # fmt: skip
        self._steps += self._n_steps(rows)
        return loss, rows

    def _engine(self, X: Matrix, max_rows: int) -> Engine:
        """Return the engine of the previous call if it fits, as its buffers are in the cache."""
        network = self.network
        arrays = network.parameters, network.mean_, network.scale_
        rows, csr = min(self.batch_size, max_rows), self._multiplies_stored(X)
        # The engine keeps the arrays alive.
        key = *map(id, arrays), rows, use_builtin(self.engine), csr
        if self._cached_engine is None or self._cached_engine[0] != key:
            self._cached_engine = key, self._new_engine(rows, self.n_threads, csr)
        return self._cached_engine[1]

    def _multiplies_stored(self, X: Matrix) -> bool:
        """Return whether X are CSR rows of which the engine multiplies the stored elements."""
        network, builtin = self.network, use_builtin(self.engine)
        return multiplies_stored(X, network.mean_, network.missing, network.embedding, builtin)

    def _new_engine(self, max_rows: int, n_threads: int, csr: bool = False) -> Engine:
        """Return an engine for the present settings, for mini-batches of at most `max_rows`."""
        engine = self._bare_engine(max_rows, n_threads, self.layer_factors, csr)
        unused = self.network.parameters
        state1, state2 = (*self._state, unused, unused)[:2]
        engine.prepare(
            self.solver.update, state1, state2, alpha=self.alpha, loss=self.loss,
            loss_parameters=self._loss_parameters, dropout=self.dropout,
            dropout_seed=self._dropout_seed or 0, max_grad_norm=self.max_grad_norm or 0.0,
            **self.solver.constants,
        )  # fmt: skip
        return engine

    def _bare_engine(
        self,
        max_rows: int,
        n_threads: int,
        factors: Sequence[LayerFactors] | None = None,
        csr: bool = False,
    ) -> Engine:
        """Return an engine that is not prepared for training."""
        network = self.network
        return Engine(
            network.layer_sizes, network.parameters, network.mean_, network.scale_, max_rows,
            n_threads, builtin=use_builtin(self.engine), activation=network.activation,
            output=network.output, missing=network.missing, factors=factors,
            embedding=network.embedding, csr=csr,
        )  # fmt: skip

    def _forget_engines(self) -> None:
        """Let new engines be made: they are for the settings and the solver's state of before."""
        self._cached_engine = None

    def _loss_of(self, source: Source | RemoteRows) -> float:
        """Return the loss of the current parameters on all rows, including the penalty."""
        if isinstance(source, RemoteRows):
            return source.loss(self)
        loss, total = 0.0, 0.0
        with closing(source.pieces(LOSS_ROWS, None)) as pieces:
            for piece in pieces:
                for X, labels in piece.chunks(LOSS_ROWS):
                    logits = self.network.logits(X, engine=self.engine)
                    total += labels.total
                    loss += labels.total * self.network.mean_loss(
                        logits, labels, **self._loss_options
                    )
        return loss / total + self.network.penalty(self.alpha / total)

    def _is_sound(self, loss: float, source: Source | RemoteRows) -> bool:
        """Return whether the loss of an epoch, and all that it leaves behind, is finite.

        That includes the loss of the new parameters, which is computed only if they are large.
        """
        if not (math.isfinite(loss) and self.is_finite()):
            return False
        small = sum_squares(self.network.parameters) < LARGE
        return small or math.isfinite(self._loss_of(source))

    # ------------------------------------------------------------------------------ state

    def snapshot(self) -> Snapshot:
        """Return a copy of the parameters and the solver's state, for :meth:`restore`."""
        return Snapshot([x.copy() for x in (self.network.parameters, *self._state)], self._steps)

    def is_finite(self) -> bool:
        """Return whether the parameters and the solver's state are finite."""
        return all(map(all_finite, (self.network.parameters, *self._state)))

    def restore(self, snapshot: Snapshot) -> None:
        """Restore the parameters and the solver's state of a snapshot."""
        self._steps = snapshot.steps
        parameters, *state = snapshot.arrays
        self.network.parameters[...] = parameters
        if len(state) != len(self._state):  # of L-BFGS
            self._state = [x.copy() for x in state]
        for array, copy in zip(self._state, state, strict=True):
            array[...] = copy

    def state_dict(self) -> dict[str, Any]:
        """Return the state that further steps need besides network, settings and history.

        Returns
        -------
        dict
            ``solver``; ``vectors``, a copy of the solver's vectors; ``steps``, the number of steps
            so far; ``learning_rate``; ``dropout_seed``; ``random``, the state of NumPy's generator
            of the order of rows.
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
        """Restore the state that :meth:`state_dict` returned.

        Raises
        ------
        TypeError, ValueError
            If the state is invalid; the optimizer is unchanged.
        """
        solver, vectors = state["solver"], state["vectors"]
        n_vectors = N_STATES[solver.update]
        if isinstance(solver, LBFGS) and len(vectors) <= MAX_STATES:
            n_vectors = len(vectors) // 2 * 2
        shapes = [(self.network.n_parameters,)] * n_vectors
        if [x.shape for x in vectors] != shapes:
            raise ValueError(
                f"vectors must have shapes {shapes} for {solver}, got {[x.shape for x in vectors]}"
            )
        if not all(np.isfinite(x).all() for x in vectors):
            raise ValueError("vectors must be finite")
        steps = check.integer("steps", state["steps"], low=0, high=MAX_COUNT)
        rate = _check_rate(state["learning_rate"])
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
        self._forget_engines()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cached_engine": None}


def _check_rate(rate: object) -> float:
    return check.number("learning_rate", rate, low=0.0, high=np.inf, high_open=True)
