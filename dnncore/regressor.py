"""DNNRegressor: the network as a scikit-learn regressor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core.optional import scikit_learn_for

with scikit_learn_for(__name__):
    from sklearn.base import RegressorMixin
    from sklearn.utils.metaestimators import available_if

from ._core.names import REGRESSION_LOSSES, check_loss, loss_parameters
from ._estimators.base import DNNEstimator, takes_mini_batches
from ._estimators.learnt import LearntNumbers
from ._estimators.numeric import NumberLearner, NumberTargets
from .checkpoints import Checkpoint
from .training import EpochInfo


class DNNRegressor(RegressorMixin, DNNEstimator):  # type: ignore[misc]
    """Dense neural network regressor of numbers, counts or quantiles.

    The network consists of input standardisation, hidden layers and an output that depends on the
    loss: linear, exponential for 'poisson', or sorted for 'quantile'.
    Parameters shared with :class:`sklearn.neural_network.MLPRegressor` have the same meaning. All
    computation is in float32 if `fit` receives float32, otherwise in float64.

    Parameters
    ----------
    loss : {'squared_error', 'huber', 'absolute_error', 'poisson', 'quantile'}, \
default='squared_error'
        Loss, summed over the outputs: half the squared error, for means; the Huber loss or the
        absolute error, which wrong targets distort less; half the Poisson deviance, for the means
        of counts and other non-negative targets, where predictions are the exponentials of the
        logits; or the quantile loss, for the `quantiles` of a single target.
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each hidden layer; ``()`` gives linear regression.
    activation : str, default='relu'
        Activation function of the hidden layers: 'logistic', 'tanh', 'relu', 'selu', 'silu'
        (also called swish), 'gelu' (the exact one, with erf), 'mish' or 'identity'.
    solver : {'adam', 'adamw', 'sgd', 'lbfgs'}, default='adam'
        Solver for the weights. 'lbfgs' uses all rows at once and suits small data sets.
    alpha : float, default=1e-4
        Strength of the L2 penalty on the weights, divided by the total sample weight of the
        mini-batch.
    batch_size : int or 'auto', default='auto'
        Number of rows per mini-batch, limited to the number of training rows; 'auto' is 200.
    learning_rate : {'constant', 'invscaling', 'adaptive', 'newbob', 'cosine', 'coslog4'}, \
default='constant'
        Learning-rate schedule; see :class:`dnncore.training.SGD`. 'invscaling' and 'adaptive'
        apply to 'sgd' only. 'cosine' and 'coslog4' train for `max_iter` epochs, or until
        ``early_stopping=True`` ends training; each call of `partial_fit` runs through them once.
    learning_rate_init : float, default=2e-3
        Initial learning rate. The default is twice that of scikit-learn: on standardised input,
        it reaches the same loss in fewer epochs. With activation='logistic', 0.005 is a good
        first choice.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    max_iter : int, default=200
        Maximum number of epochs.
    shuffle : bool, default=True
        Whether to shuffle the rows in each epoch.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, the order of rows, dropout and the validation split.
    tol : float, default=1e-4
        Smallest change of the loss or score that counts as an improvement.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm).
    warm_start : bool, default=False
        Whether `fit` resumes from the parameters, input standardisation and solver state of the
        previous call.
    momentum : float, default=0.9
        Momentum of 'sgd'.
    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.
    early_stopping : bool or 'auto', default='auto'
        Whether to stop when the R2 on the validation set no longer improves, and keep the
        parameters of the best epoch. The validation set is `X_val` or, without it, a split of the
        rows. 'auto' goes by the loss on the validation set instead. It splits off rows if these
        would be at least 100, that is, by default from 1000 rows on, but not for
        `learning_rate='newbob'`, and is False without a validation set, in `partial_fit`, and
        with `warm_start`, where later calls continue.
    validation_fraction : float, default=0.1
        Fraction of the rows in that split.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Constants of 'adam' and 'adamw'.
    n_iter_no_change : int or numpy.inf, default=10
        Training stops after more than this number of consecutive epochs without improvement;
        numpy.inf disables this criterion.
    max_fun : int, default=15000
        Maximum number of loss evaluations of 'lbfgs'.
    weight_decay : float, default=0.01
        Decoupled weight decay of 'adamw': in each step, ``learning_rate * weight_decay * W`` is
        subtracted from the weights W. Other solvers ignore it. `alpha` remains the L2 penalty.
    norm : bool, default=True
        Whether the network standardises each feature by its mean and scale over the training
        rows. The scale is the standard deviation or, for a feature that is mostly constant, more;
        see :meth:`dnncore.Network.update_norm`.
    missing_values : {'error', 'mean', 'indicator'}, default='error'
        Treatment of NaN in X. 'mean' (which requires `norm`) replaces a missing value by the mean
        of its feature; mean and scale are those of the values present. 'indicator' does the same,
        and adds an input for each feature that has missing values in the first call to `fit` or
        `partial_fit`: 1 where the value is missing, otherwise 0.
    dropout : float in [0, 1), default=0.0
        Probability that an output of a hidden layer is dropped in a training step.
    max_grad_norm : float, default=None
        Largest Euclidean norm of the gradient of a training step over all parameters, including
        that of the L2 penalty; a larger gradient is scaled to it. Must be None with 'lbfgs'.
    huber_delta : float, default=1.0
        Residual at which the loss 'huber' becomes linear, in the units of training: standard
        deviations of the target with `norm_target`, otherwise the units of `y`.
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        Levels of the quantiles that the loss 'quantile' predicts, within (0, 1), in ascending
        order. The logits of a row are sorted, so that no quantile is above a higher one.
    norm_target : bool, default=True
        Whether to standardise the targets for training, by their mean and scale in the first
        call. With loss='poisson', targets are divided by their mean, but not centred.
        Predictions are in the units of `y` in either case, losses are not.
    scoring : str, callable, sequence of str or mapping, default=None
        scikit-learn scorers that are applied to the validation set after each epoch; the results
        are in ``history_.metrics``. `early_stopping` monitors the first, 'auto' as well.
    max_time : float, default=None
        Maximum duration in seconds of `fit`, and of each `partial_fit`.
    n_threads : int, default=None
        Number of threads. The default depends on the amount of work, and is limited to the
        processors available to the process (affinity, cgroup quota, and OMP_NUM_THREADS if it is
        set).
    engine : {'auto', 'builtin', 'blas'}, default='auto'
        Implementation of the matrix products, in training and scoring; see
        :class:`dnncore.training.Trainer`.
    callback : callable, default=None
        Called with a :class:`dnncore.training.EpochInfo` after every epoch; training ends if it
        returns True. `set_callbacks` takes scikit-learn's own callbacks.
    checkpoint : dnncore.checkpoints.Checkpoint, default=None
        Model file that `fit` and `fit_blocks` write every so often, and from which they complete a
        fit that was killed.

    Attributes
    ----------
    network_ : Network
        The trained network.
    history_ : dnncore.training.History
        Losses, scores and metrics of all epochs.
    stop_reason_ : str
        How the last `fit` ended: as :meth:`dnncore.training.Trainer.fit` returns it, or
        'interrupted' by Ctrl-C. Absent after `partial_fit`, and in a model from a file.
    target_mean_, target_scale_ : array of shape (n_outputs,)
        The logits in the units of `y` are ``z * target_scale_ + target_mean_``: mean and scale of
        the targets; with loss='poisson', the logarithm of the mean, and 1; 0 and 1 without
        `norm_target`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : array of str
        Names of the features, if `fit` received a data frame with string column names.
    coefs_, intercepts_ : list of arrays
        Weights of shape (n_in, n_out) and biases of shape (n_out,): views of
        ``network_.parameters``.
    loss_, best_loss_ : float
        Loss of the last epoch, and the lowest loss (None with ``early_stopping=True``).
    loss_curve_ : list of float
        Loss of each epoch.
    validation_scores_, validation_losses_ : list of float or None
        Score and loss on the validation set after each epoch.
    best_validation_score_ : float or None
        Best score on the validation set.
    n_iter_, t_ : int
        Number of epochs, and of samples seen in training.
    n_layers_, n_outputs_ : int
        Number of layers, and of outputs.
    out_activation_ : {'identity', 'exp', 'sorted'}
        Activation function of the output layer.

    Examples
    --------
    >>> from dnncore import DNNRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DNNRegressor(max_iter=50, tol=0, n_iter_no_change=50, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.5)
    True
    """

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 2e-3,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        weight_decay: float = 0.01,
        norm: bool = True,
        missing_values: str = "error",
        dropout: float = 0.0,
        max_grad_norm: float | None = None,
        huber_delta: float = 1.0,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        norm_target: bool = True,
        scoring: Any = None,
        max_time: float | None = None,
        n_threads: int | None = None,
        engine: str = "auto",
        callback: Callable[[EpochInfo], object] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.weight_decay = weight_decay
        self.norm = norm
        self.missing_values = missing_values
        self.dropout = dropout
        self.max_grad_norm = max_grad_norm
        self.huber_delta = huber_delta
        self.quantiles = quantiles
        self.norm_target = norm_target
        self.scoring = scoring
        self.max_time = max_time
        self.n_threads = n_threads
        self.engine = engine
        self.callback = callback
        self.checkpoint = checkpoint

    target_mean_: NDArray[np.float64]
    target_scale_: NDArray[np.float64]
    _target_ndim: int

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """Convert a fitted scikit-learn regressor to one with the same predictions.

        Parameters
        ----------
        model : MLPRegressor, or Pipeline of StandardScaler and MLPRegressor
            Fitted model. The scaler becomes the input standardisation.

        Returns
        -------
        DNNRegressor
            Model with copies of the arrays and the parameters that both classes share;
            `norm_target` is False. :meth:`partial_fit` or `warm_start` can continue its training;
            the solver's state (momentum, Adam's moments) starts afresh. A scaler without mean or
            without scale is not updated.

        Raises
        ------
        TypeError, ValueError
            If `model` is of another type, or is not fitted.
        """
        from .convert._sklearn import regressor_from_sklearn

        return regressor_from_sklearn(cls, model)

    # -------------------------------------------------------------------------- training

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> DNNRegressor:
        """Fit the model: train until convergence, or for `max_iter` epochs.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Training rows. float32 stays float32; anything else becomes float64. All values must
            be finite, except for missing values. A sparse matrix (CSR; other formats are
            converted) is made dense one mini-batch at a time, and gives the same model as the
            dense matrix.
        y : array of shape (n_samples,) or (n_samples, n_outputs)
            Targets; all values must be finite, with loss='poisson' non-negative. The loss
            'quantile' allows a single output.
        sample_weight : array of shape (n_samples,), default=None
            Sample weights, non-negative and not all zero. They apply to the loss and the input
            standardisation.
        X_val, y_val : like `X`, of shape (n, n_features), and like `y`, default=None
            Validation set. It is scored after each epoch, and monitored by `early_stopping` and
            the schedule 'newbob'.
        sample_weight_val : array of shape (n,), default=None
            Sample weights of the validation set.

        Returns
        -------
        DNNRegressor
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is invalid; the model is unchanged.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If training reaches `max_iter`, `max_fun` or `max_time` before it converges. With early
            stopping too: the last improvement was within `n_iter_no_change` epochs.
        dnncore.training.DivergenceWarning
            If the loss is no longer finite; the last finite parameters are kept.
        UserWarning
            If Ctrl-C ends training; the model is usable.
        """
        self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    @available_if(takes_mini_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> DNNRegressor:
        """Train for one epoch on the given rows, and update the input standardisation.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        DNNRegressor
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is invalid; the model is unchanged.

        Notes
        -----
        C-contiguous arrays, X in the dtype of the model and targets of float32 or float64, take
        little more time than the training steps, as long as no parameter has changed. Any other
        form of them gives the same model.
        """
        self._partial_fit(X, y, sample_weight, None)
        return self

    def fit_blocks(
        self,
        blocks: Iterable[Any],
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the model to rows that come block by block and may not fit into memory.

        Parameters
        ----------
        blocks : iterable of (X, y) or (X, y, sample_weight)
            Blocks of rows, such as a list, :class:`dnncore.blocks.NpyBlocks` or
            :class:`dnncore.blocks.ParquetBlocks`. Every iteration must give the same rows.
            Together, the X, y and sample_weight of all blocks are as in :meth:`fit`; the first
            block determines the dtype. The weights of a block may all be zero.
        X_val, y_val, sample_weight_val
            As in :meth:`fit`. ``early_stopping=True`` requires them: no rows are split off.

        Returns
        -------
        DNNRegressor
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument, a parameter or a block is invalid. All blocks are read and checked
            before training begins; if the error is found then, the model is unchanged. If a block
            has changed when it is read again, the model has the parameters of the last complete
            epoch.

        Warns
        -----
        As :meth:`fit`.

        Notes
        -----
        The standardisation of X and y is computed in a first pass over the blocks; each epoch is
        another pass. The next block is read while the current one is trained on.

        Without `shuffle`, the model is the same as that of :meth:`fit` on all rows: rows left over
        at the end of a block start the first mini-batch of the next. With `shuffle`, the rows
        within each block are shuffled and the blocks keep their order. If the rows are sorted,
        shuffle them once before you divide them into blocks.
        """
        self._fit_blocks(blocks, None, X_val, y_val, sample_weight_val)
        return self

    def _new_learner(
        self, known: LearntNumbers | None, classes: Any, *, accumulates: bool, in_blocks: bool
    ) -> NumberLearner:
        output, norm = REGRESSION_LOSSES[self.loss], bool(self.norm_target)
        return NumberLearner(known, norm, output, len(self.quantiles))

    def _targets(self, learnt: LearntNumbers) -> NumberTargets:
        return NumberTargets(learnt, self.quantiles)

    def _learnt(self) -> LearntNumbers:
        return LearntNumbers(
            self._target_ndim, self.target_mean_, self.target_scale_, self.network_.output
        )

    def _of_learnt(self, learnt: LearntNumbers) -> dict[str, Any]:
        return {
            "_target_ndim": learnt.ndim,
            "target_mean_": learnt.mean,
            "target_scale_": learnt.scale,
        }

    def _loss_options(self) -> dict[str, Any]:
        names = ("loss", "huber_delta", "quantiles")
        return {name: getattr(self, name) for name in names}

    def _check_parts(self) -> None:
        super()._check_parts()
        network = self.network_
        loss_parameters(
            check_loss(self.loss, network.output), network.layer_sizes[-1], self.huber_delta,
            self.quantiles,
        )  # fmt: skip

    # -------------------------------------------------------------------------- scoring

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the targets, in the units of y.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, with the number of dimensions of y in training; several quantiles have the
            shape (n_samples, n_quantiles). They have the dtype of the model, or float64 if the
            targets are so large compared with their scale that float32 has too few digits.
        """
        logits, learnt = self._logits(X)
        return self._targets(learnt).in_units_of_y(logits)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the R2 of the predictions or, with loss='quantile', their D2.

        R2 is the fraction of the squared error of the mean of `y` that the model explains. D2 is
        the same for the quantile loss of the quantile of `y`, averaged over the quantiles; see
        :func:`sklearn.metrics.d2_pinball_score`.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows to score.
        y : array of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            The score: 1 for perfect predictions.
        """
        _, learnt = self._network_and_learnt()
        if learnt.output != "sorted":
            return float(super().score(X, y, sample_weight))
        logits, learnt = self._logits(X)
        n_outputs = len(learnt.mean)
        loss_parameters("quantile", n_outputs, 1.0, self.quantiles)  # may not be those of `fit`
        targets = self._targets(learnt)
        predictions = targets.in_units_of_y(logits).reshape(-1, n_outputs)
        return targets.quantile_score(y, predictions, sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self.loss != "quantile"
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags
