"""DNNRegressor: the network as a scikit-learn regressor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from ._estimators.base import DNNEstimator, takes_mini_batches
from ._estimators.learnt import LearntNumbers
from ._estimators.numeric import NumberLearner, NumberTargets
from .training import EpochInfo


class DNNRegressor(RegressorMixin, DNNEstimator):  # type: ignore[misc]
    """Dense neural network: norm, hidden layers, numbers, trained on the squared error.

    Parameters that :class:`sklearn.neural_network.MLPRegressor` has too mean the same here.
    All computation is in float32 if `fit` gets float32, else in float64.

    Parameters
    ----------
    loss : {'squared_error', 'huber'}
        Half the squared error, or Huber's loss, summed over the outputs.
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer; ``()`` is linear regression.
    activation : {'logistic', 'tanh', 'relu', 'identity'}
        Of the hidden layers.
    solver : {'adam', 'sgd', 'lbfgs'}
        'lbfgs' takes all rows at once, and suits small data sets.
    alpha : float
        L2 penalty of the weights, divided by the weight of the mini-batch.
    batch_size : int or 'auto'
        Rows of a mini-batch; 'auto' is 200. At most all rows.
    learning_rate : {'constant', 'invscaling', 'adaptive', 'newbob'}
        Schedule; see :class:`dnncore.training.SGD`. The second and third are for 'sgd' only.
    learning_rate_init : float
        The default is twice that of scikit-learn: on standardised input a network gets as far
        with it in fewer epochs. With activation='logistic' 0.005 is a good first choice.
    power_t : float
        Exponent of 'invscaling'.
    max_iter : int
        Epochs at most.
    shuffle : bool
        Whether every epoch takes the rows in a new order.
    random_state : int, RandomState or None
        Of the initial weights, the order of rows, dropout and the validation split.
    tol : float
        Improvement of loss or score that counts.
    verbose : bool
        Whether a progress bar is shown (by tqdm).
    warm_start : bool
        Whether `fit` goes on from the parameters, norm and solver state of the last one.
    momentum : float
        Of 'sgd'.
    nesterovs_momentum : bool
    early_stopping : bool
        Stop when the score on validation rows no longer improves, and keep the best
        parameters. The rows are `X_val` or, without it, a split.
    validation_fraction : float
        Share of the rows in that split.
    beta_1, beta_2, epsilon : float
        Of 'adam'.
    n_iter_no_change : int or numpy.inf
        Training stops after more than so many epochs in a row without improvement; never for
        that reason with numpy.inf.
    max_fun : int
        Evaluations of the loss by 'lbfgs' at most.
    norm : bool
        Whether the network standardises each feature by mean and scale of the training rows.
    missing_values : {'error', 'mean', 'indicator'}
        What NaN in X is. 'mean' (which needs `norm`): a missing value, in whose place the
        feature's mean stands; mean and scale are those of the values that are there. 'indicator'
        does so too, and gives each feature that has missing values in the first call to `fit` or
        `partial_fit` one more input, which is 1 where the value is missing and else 0.
    dropout : float in [0, 1)
        Probability with which each output of a hidden layer is left out of a training step.
    huber_delta : float
        Residual from which the loss 'huber' is linear, in the units in which it is trained:
        with `norm_target`, standard deviations of the target.
    norm_target : bool
        Whether targets are standardised for training by their mean and scale in the first call;
        predictions are in the units of `y` all the same, losses are not.
    scoring : str, callable, sequence of str or mapping, optional
        Scorers of scikit-learn that are applied to the validation rows after each epoch;
        the results are in ``history_.metrics``. `early_stopping` goes by the first.
    max_time : float, optional
        Seconds that `fit`, and each `partial_fit`, may take.
    n_threads : int, optional
        Default: as many as the work occupies, out of the processors that the process may use
        (affinity, cgroup quota, and OMP_NUM_THREADS if it is set).
    engine : {'auto', 'builtin', 'blas'}
        Whose matrix products training uses; see :class:`dnncore.training.Trainer`.
    callback : callable, optional
        Called with a :class:`dnncore.training.EpochInfo` after every epoch; returns True to end
        training. scikit-learn's own callbacks are given by `set_callbacks`.

    Attributes
    ----------
    network_ : Network
    history_ : dnncore.training.History
    target_mean_, target_scale_ : array (n_outputs,)
        0 and 1 without `norm_target`.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where `fit` got a data frame with string column names.
    coefs_, intercepts_ : list of arrays
        Weights (n_in, n_out) and biases (n_out,): views of ``network_.parameters``.
    loss_, best_loss_ : float
        Loss of the last epoch, and the lowest (None with `early_stopping`).
    loss_curve_ : list of float
    validation_scores_, validation_losses_ : list of float or None
        Score and loss on the validation rows after each epoch.
    best_validation_score_ : float or None
    n_iter_, t_ : int
        Epochs, and samples trained on.
    n_layers_, n_outputs_ : int
    out_activation_ : str

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
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        norm: bool = True,
        missing_values: str = "error",
        dropout: float = 0.0,
        huber_delta: float = 1.0,
        norm_target: bool = True,
        scoring: Any = None,
        max_time: float | None = None,
        n_threads: int | None = None,
        engine: str = "auto",
        callback: Callable[[EpochInfo], object] | None = None,
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
        self.norm = norm
        self.missing_values = missing_values
        self.dropout = dropout
        self.huber_delta = huber_delta
        self.norm_target = norm_target
        self.scoring = scoring
        self.max_time = max_time
        self.n_threads = n_threads
        self.engine = engine
        self.callback = callback

    target_mean_: NDArray[np.float64]
    target_scale_: NDArray[np.float64]
    _target_ndim: int

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """Make a fitted regressor of scikit-learn's, with the same predictions.

        Parameters
        ----------
        model : MLPRegressor, or Pipeline of StandardScaler and MLPRegressor
            Fitted on the squared error. The scaler becomes norm.

        Returns
        -------
        DNNRegressor
            With copies, and the parameters that both have; `norm_target` is False. It can go on
            training with :meth:`partial_fit` or `warm_start`; the solver's state (momentum,
            Adam's moments) begins afresh. A scaler without mean or without scale is not updated.

        Raises
        ------
        TypeError, ValueError
            If `model` is something else, not fitted, or was fitted on another loss.
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
        """Train until nothing improves, or for `max_iter` epochs.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)
            float32 stays float32; anything else becomes float64. Finite, but for missing values.
            A sparse matrix (CSR; others are converted) is made dense a mini-batch at a time,
            and gives the same model as the dense one.
        y : array (n_samples,) or (n_samples, n_outputs)
            Targets. Finite.
        sample_weight : array (n_samples,), optional
            Not negative and not all zero. Counts in the loss and in norm.
        X_val, y_val : as `X` (n, n_features) and as `y`, optional
            Validation rows: scored after each epoch, and used by `early_stopping` and the
            schedule 'newbob'.
        sample_weight_val : array (n,), optional
            Weights of the validation rows.

        Returns
        -------
        DNNRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter does not fit; the model is as before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter` or `max_time` is reached first.
        dnncore.training.DivergenceWarning
            If the loss ceases to be finite; the last finite parameters are kept.
        UserWarning
            On Ctrl-C, which ends training; the model is usable.
        """
        self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self

    @available_if(takes_mini_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> DNNRegressor:
        """Train one epoch on the rows given, and let norm take them in.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.

        Returns
        -------
        DNNRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter does not fit; the model is as before.
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
        """As `fit`, on rows that come block by block, and need not fit into memory together.

        Parameters
        ----------
        blocks : iterable of (X, y) or (X, y, sample_weight)
            Gives the same rows in every iteration, such as a list, or
            :class:`dnncore.blocks.NpyBlocks` and :class:`dnncore.blocks.ParquetBlocks` of files.
            X, y and sample_weight are as in :meth:`fit`, of all rows together; the dtype is that
            of the first block. Weights may be all zero in a block.
        X_val, y_val, sample_weight_val
            As in :meth:`fit`. `early_stopping` needs them: no rows are split off.

        Returns
        -------
        DNNRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument, a parameter or a block does not fit. All blocks are read and checked
            before training begins: then the model is as before. If a block has changed when it
            is read again, the model has the parameters that the epochs before led to.

        Warns
        -----
        As :meth:`fit`.

        Notes
        -----
        The first pass over the blocks learns the norm of X and y; each epoch is one more. The
        next block is read while one is trained on.

        Without `shuffle` the model is that of :meth:`fit` with all rows: rows left over from the
        last mini-batch of a block begin the first one of the next. With `shuffle` the rows of each
        block are shuffled and the blocks stay in their order, so if the rows are sorted, shuffle
        them once before you divide them.
        """
        self._fit_blocks(blocks, None, X_val, y_val, sample_weight_val)
        return self

    def _new_learner(
        self, known: LearntNumbers | None, classes: Any, accumulates: bool
    ) -> NumberLearner:
        return NumberLearner(known, norm=bool(self.norm_target))

    def _targets(self, learnt: LearntNumbers) -> NumberTargets:
        return NumberTargets(learnt)

    def _learnt(self) -> LearntNumbers:
        return LearntNumbers(self._target_ndim, self.target_mean_, self.target_scale_)

    def _adopt_learnt(self, learnt: LearntNumbers) -> None:
        self._target_ndim = learnt.ndim
        self.target_mean_, self.target_scale_ = learnt.mean, learnt.scale

    def _loss_options(self) -> dict[str, Any]:
        return {"loss": self.loss, "huber_delta": self.huber_delta}

    # -------------------------------------------------------------------------- scoring

    def predict(self, X: Any) -> NDArray[Any]:
        """The outputs of the network, in the units of y.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples,) or (n_samples, n_outputs), as y was
        """
        logits = self._logits(X)
        return self._targets(self._learnt()).in_units_of_y(logits)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
