"""The trainer: its public methods, which check their arguments.

Besides the public interface, other packages of dnncore use only :func:`fit_source`, which trains on
checked rows, and these members of a :class:`Trainer`:

- ``state_dict()`` and ``load_state_dict(state)``: the state that further steps depend on, as stored
  in model files;
- ``snapshot()`` and ``restore(snapshot)``: parameters and the solver's state, kept in memory;
- ``is_finite()``: whether these are finite;
- ``history``, which may be set so that a trainer continues the history of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from numpy.typing import ArrayLike, NDArray

from .._core.public import set_module
from ..network import Network
from .checks import CheckedBlocks, check_rows
from .gradients import GradientSums, RowGradients
from .history import EpochInfo, History, Validation
from .lbfgs import fit_lbfgs
from .loop import EpochLoop
from .monitor import Monitor
from .optimizer import DEFAULT_BATCH_SIZE
from .settings import StopSettings
from .solvers import LBFGS, SGD, Adam
from .sources import ArraySource, BlockSource, RemoteRows
from .steps import StepOptimizer


@set_module("dnncore.training")
class Trainer(StepOptimizer):
    """Trainer of a network; keeps the solver's state between calls.

    Parameters
    ----------
    network : Network
        Network to train, in place.
    solver : SGD, Adam, AdamW or LBFGS, default=Adam()
        Solver for the weights.
    alpha : float, default=1e-4
        Strength of the L2 penalty: ``alpha / (2 sum w) sum W^2`` is added to the loss of each
        mini-batch.
    batch_size : int, default=200
        Number of rows per mini-batch. The last mini-batch of an epoch may be smaller.
    shuffle : bool, default=True
        Whether to shuffle the rows in each epoch.
    seed : int, SeedSequence, Generator or None, default=None
        Seed of the order of rows and of dropout, for ``numpy.random.default_rng``.
    n_threads : int, default=None
        Number of threads. The default depends on the amount of work per step.
    engine : {'auto', 'builtin', 'blas'}, default='auto'
        Implementation of the matrix products. 'builtin' is dnncore's own, which gives the same
        bits for any number of threads and on any instruction set; 'blas' is SciPy's BLAS; 'auto'
        selects the faster one.
    loss : str, default=None
        Loss that goes with the output of the network; see :meth:`dnncore.Network.loss`.
    huber_delta : float, default=1.0
        Residual at which the loss 'huber' becomes linear.
    quantiles : sequence of n_outputs floats, default=None
        Levels of the quantiles that the loss 'quantile' requires, within (0, 1), in ascending
        order. A network with the output 'sorted' needs them even if :meth:`backward` gets the
        gradient of a loss of one's own, which they have no effect on.
    dropout : float in [0, 1), default=0.0
        Probability that an output of a hidden layer is dropped in a step; the others are
        multiplied by ``1 / (1 - dropout)``. Scoring uses all outputs. Must be 0 with LBFGS.
    layer_factors : sequence of n_layers (float, float, float), default=None
        Factors of each layer: of the learning rate of its weights, of the learning rate of its
        biases, and of the weight decay of its weights. The default is 1. LBFGS does not use them.
        An embedding is the first layer: its scale s takes the place of the weights, and V and c
        that of the biases; none of them decays.
    max_grad_norm : float, default=None
        Largest Euclidean norm of the gradient of a step over all parameters, including that of
        the L2 penalty; a gradient with a larger norm is scaled to it. Must be None with LBFGS.

    Attributes
    ----------
    history : History
        Losses, scores and metrics of all epochs.
    learning_rate : float
        Learning rate of the next step, before Adam's bias correction.

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
        quantiles: Sequence[float] | None = None,
        dropout: float = 0.0,
        layer_factors: Sequence[tuple[float, float, float]] | None = None,
        max_grad_norm: float | None = None,
    ) -> None:
        self.history = History()
        super().__init__(
            network,
            solver,
            seed=seed,
            alpha=alpha,
            batch_size=batch_size,
            shuffle=shuffle,
            n_threads=n_threads,
            engine=engine,
            loss=loss,
            huber_delta=huber_delta,
            quantiles=quantiles,
            dropout=dropout,
            layer_factors=layer_factors,
            max_grad_norm=max_grad_norm,
        )

    def run_epoch(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Train for one epoch.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features)
            Training rows, in the dtype of the network.
        y : integer array of shape (n,) or array of shape (n, n_outputs)
            Class indices, or soft labels in the dtype of the network; targets in that dtype if
            the output of the network is not softmax; see :meth:`dnncore.Network.loss`.
        sample_weight : array of shape (n,), default=None
            Sample weights, non-negative and not all zero.

        Returns
        -------
        float
            Mean over the rows of the loss of their mini-batch before its update.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the network is unchanged.
        KeyboardInterrupt
            On Ctrl-C, after the current step; the network remains usable.
        """
        if isinstance(self.solver, LBFGS):
            raise TypeError("run_epoch needs SGD or Adam; LBFGS trains in fit")
        return self._train_epoch(ArraySource(*check_rows(self.network, X, y, sample_weight)))[0]

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
        early_stopping: bool | str = False,
        max_time: float | None = None,
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> str:
        """Train until the loss, or the validation score, no longer improves.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`run_epoch`.
        max_iter : int, default=200
            Maximum number of epochs.
        tol : float, default=1e-4
            Smallest change of the loss or score that counts as an improvement.
        n_iter_no_change : int or numpy.inf, default=10
            Training stops after more than this number of consecutive epochs without improvement.
        validate : callable, default=None
            Function called after each epoch that returns a :class:`Validation`. The schedule
            'newbob' monitors its loss.
        early_stopping : bool or 'loss', default=False
            Whether to monitor the score of `validate` instead of the loss, and to restore the
            parameters of the best score at the end. 'loss' does the same with the loss of
            `validate`, where a decrease by 1% is an improvement even below `tol`.
        max_time : float, default=None
            Maximum duration in seconds. When it has passed, training ends after the current
            mini-batch.
        callback : callable, default=None
            Function called with an :class:`EpochInfo` after each epoch; training ends if it
            returns True.

        Returns
        -------
        {'converged', 'max_iter', 'max_fun', 'max_time', 'stopped', 'diverged'}
            How training ended. 'converged': there was no further improvement, or the schedule
            has ended; 'stopped': by the callback; 'max_fun': by the limit of :class:`LBFGS`.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the network is unchanged.
        KeyboardInterrupt
            On Ctrl-C. The network has the current parameters or, with `early_stopping`, the best
            ones.

        Warns
        -----
        DivergenceWarning
            If the loss or a parameter is no longer finite. Training ends with the parameters and
            the solver's state before that epoch.
        """
        return fit_source(
            self,
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
        early_stopping: bool | str = False,
        max_time: float | None = None,
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> str:
        """Train as in :meth:`fit`, on rows that come block by block.

        Parameters
        ----------
        blocks : iterable of (X, y) or (X, y, sample_weight)
            Blocks of rows; X and y are as in :meth:`run_epoch`. Every iteration must give the same
            rows. The weights of a block may all be zero. While a block is trained on, a thread
            reads the next; no others are in memory.
        max_iter, tol, n_iter_no_change, validate, early_stopping, max_time, callback
            As in :meth:`fit`.

        Returns
        -------
        {'converged', 'max_iter', 'max_time', 'stopped', 'diverged'}
            How training ended, as in :meth:`fit`.

        Raises
        ------
        TypeError, ValueError
            If an argument or a block is invalid. The network and the solver's state are those
            before the epoch in which the error was found.
        KeyboardInterrupt
            As in :meth:`fit`.

        Notes
        -----
        Rows left over at the end of a block start the first mini-batch of the next. Without
        `shuffle`, the parameters are therefore the same as those of :meth:`fit` on all rows (bit
        for bit with dnncore's own matrix products). With `shuffle`, the rows within each block are
        shuffled and the blocks keep their order.

        With the schedules 'cosine' and 'coslog4', all steps of the first epoch have the same rate,
        because their number is not known before.
        """
        if isinstance(self.solver, LBFGS):
            raise TypeError("fit_blocks needs SGD or Adam; LBFGS takes all rows at once, in fit")
        return fit_source(
            self,
            BlockSource(CheckedBlocks(self.network, blocks)),
            StopSettings(
                max_iter, tol, n_iter_no_change, validate, early_stopping, max_time, callback
            ),
        )


def fit_source(
    trainer: Trainer, source: ArraySource | BlockSource | RemoteRows, settings: StopSettings
) -> str:
    """Train on checked rows; :meth:`Trainer.fit` and :meth:`Trainer.fit_blocks` call this function.

    It is for callers inside the package that check their rows: nothing is checked again.

    Parameters
    ----------
    trainer : Trainer
        Trainer of the network.
    source : ArraySource, BlockSource or RemoteRows
        An :class:`~dnncore._training.sources.ArraySource` of checked (X, labels),
        :class:`~dnncore._training.sources.RemoteRows` or, unless the solver is :class:`LBFGS`, a
        :class:`~dnncore._training.sources.BlockSource` of an iterable of such pairs that can be
        iterated repeatedly.
    settings : StopSettings
        Stopping criteria and callbacks.

    Returns
    -------
    {'converged', 'max_iter', 'max_fun', 'max_time', 'stopped', 'diverged'}
        How training ended, as in :meth:`Trainer.fit`.

    Raises
    ------
    Exception
        Any exception raised while reading a block. The network and the solver's state are those
        before the epoch in which it occurred.
    """
    monitor = Monitor(trainer.network, trainer.history, settings)
    with monitor.best_kept():
        if isinstance(trainer.solver, LBFGS) and not isinstance(source, BlockSource):
            return fit_lbfgs(trainer, trainer.solver, _sums_of(trainer, source), monitor)
        return EpochLoop(trainer, source, monitor).run()


def _sums_of(
    trainer: Trainer, source: ArraySource | RemoteRows
) -> Callable[[NDArray[Any]], GradientSums]:
    if isinstance(source, RemoteRows):
        return partial(source.gradient_sums, trainer)
    return RowGradients(trainer, source.X, source.labels)
