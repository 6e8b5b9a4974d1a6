"""The trainer: its public methods, which check their arguments.

Other packages of dnncore use, beside what is public, these members of a :class:`Trainer`, and no
others:

- ``fit_source(source, settings)``: train on rows that have been checked;
- ``state_dict()`` and ``load_state_dict(state)``: what the next steps depend on, as it is stored
  in model files;
- ``snapshot()`` and ``restore(snapshot)``: parameters and the solver's state, kept in memory;
- ``history``, which may be set, so that a trainer goes on with another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import ArrayLike

from .._core.public import set_module
from ..network import Network
from .checks import CheckedBlocks, check_rows
from .history import EpochInfo, History, Validation
from .lbfgs import fit_lbfgs
from .loop import EpochLoop
from .monitor import Monitor
from .optimizer import DEFAULT_BATCH_SIZE, Optimizer
from .settings import StopSettings
from .solvers import LBFGS, SGD, Adam
from .sources import ArraySource, BlockSource, Source


@set_module("dnncore.training")
class Trainer(Optimizer):
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
            dropout=dropout,
        )

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
        return self.train_epoch(ArraySource(*check_rows(self.network, X, y, sample_weight)))[0]

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
        monitor = Monitor(self.network, self.history, settings)
        with monitor.best_kept():
            if not isinstance(self.solver, LBFGS):
                return EpochLoop(self, source, monitor).run()
            if not isinstance(source, ArraySource):
                raise TypeError(
                    "fit_blocks needs SGD or Adam; LBFGS takes all rows at once, in fit"
                )
            return fit_lbfgs(self, self.solver, source.X, source.labels, monitor)
