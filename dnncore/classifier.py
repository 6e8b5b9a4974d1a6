"""DNNClassifier: the network as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core.checks import in_range_of_floats
from ._core.optional import scikit_learn_for

with scikit_learn_for(__name__):
    from sklearn.base import ClassifierMixin
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import unique_labels

from . import kernels
from ._estimators.base import DNNEstimator, takes_mini_batches
from ._estimators.label_learning import LabelLearner
from ._estimators.labels import LabelTargets
from ._estimators.learnt import MULTILABEL, LearntLabels
from ._estimators.nullable import without_nullable
from .checkpoints import Checkpoint
from .training import EpochInfo


class DNNClassifier(ClassifierMixin, DNNEstimator):  # type: ignore[misc]
    """Dense neural network classifier, trained on the cross-entropy.

    The network consists of input standardisation, hidden layers and a softmax. Parameters
    shared with :class:`sklearn.neural_network.MLPClassifier` have the same meaning. All
    computation is in float32 if `fit` receives float32, otherwise in float64.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each hidden layer; ``()`` gives multinomial logistic regression.
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
        Whether to stop when the accuracy on the validation set no longer improves, and keep the
        parameters of the best epoch. The validation set is `X_val` or, without it, a split of the
        rows. 'auto' goes by the loss on the validation set instead. It splits off rows if these
        would be at least 20, that is, by default from 200 rows on, but not for
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
    class_weight : dict or 'balanced', default=None
        Weight of each class, multiplied by the sample weights; 'balanced' gives all classes the
        same total weight. Class weights apply to the loss, also to that of the validation set, but
        not to scores.
    label_smoothing : float in [0, 1), default=0.0
        Fraction of each label that is spread evenly over all classes in training.
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
    classes_ : array of shape (n_classes,)
        Class labels.
    class_prior_ : array of shape (n_classes,)
        Weighted class frequencies in training, or the priors given to :meth:`set_priors`; absent
        for multi-label targets.
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
    out_activation_ : str
        Activation function of the output layer.

    Notes
    -----
    For two classes, the network has two outputs with a softmax, where `MLPClassifier` has one
    output with a sigmoid.

    Examples
    --------
    >>> from dnncore import DNNClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DNNClassifier(learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
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
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        scoring: Any = None,
        max_time: float | None = None,
        n_threads: int | None = None,
        engine: str = "auto",
        callback: Callable[[EpochInfo], object] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
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
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.scoring = scoring
        self.max_time = max_time
        self.n_threads = n_threads
        self.engine = engine
        self.callback = callback
        self.checkpoint = checkpoint

    classes_: NDArray[Any]
    class_prior_: NDArray[np.float64]
    _kind: str
    _class_totals: NDArray[np.float64]

    @classmethod
    def from_sklearn(cls, model: Any, *, class_prior: ArrayLike | None = None) -> Self:
        """Convert a fitted scikit-learn classifier to one with the same predictions.

        Parameters
        ----------
        model : MLPClassifier, or Pipeline of StandardScaler and MLPClassifier
            Fitted model. The scaler becomes the input standardisation, and the single output for
            two classes a softmax of two.
        class_prior : array of shape (n_classes,), default=None
            Class frequencies in training, which scikit-learn does not keep. Default: equal
            frequencies. Only :meth:`set_priors` and :meth:`predict_scaled_log_likelihood` use
            them.

        Returns
        -------
        DNNClassifier
            Model with copies of the arrays and the parameters that both classes share.
            :meth:`partial_fit` or `warm_start` can continue its training; the solver's state
            (momentum, Adam's moments) starts afresh. A scaler without mean or without scale is
            not updated.

        Raises
        ------
        TypeError, ValueError
            If `model` is of another type, is not fitted, or was fitted on a single class.
        """
        from .convert._sklearn import classifier_from_sklearn

        return classifier_from_sklearn(cls, model, class_prior)

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
    ) -> DNNClassifier:
        """Fit the model: train until convergence, or for `max_iter` epochs.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Training rows. float32 stays float32; anything else becomes float64. All values must
            be finite, except for missing values. A sparse matrix (CSR; other formats are
            converted) is never made dense as a whole, and gives the same model as the dense
            matrix. With ``norm=False``, only its stored elements are multiplied.
        y : array of shape (n_samples,) or (n_samples, n_classes)
            Class labels, integers or strings. A two-dimensional array contains either multi-label
            indicators of 0 and 1 (each class has its own sigmoid), or soft labels: probabilities
            that sum to 1 in each row.
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
        DNNClassifier
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
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        classes: Any = None,
    ) -> DNNClassifier:
        """Train for one epoch on the given rows, and update the input standardisation.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        classes : array of shape (n_classes,), default=None
            All labels that can occur in any call; required in the first call, unless y is
            two-dimensional.

        Returns
        -------
        DNNClassifier
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is invalid; the model is unchanged.

        Notes
        -----
        C-contiguous arrays, X in the dtype of the model and labels like `classes_` (integers,
        Booleans or strings), take little more time than the training steps, as long as no parameter
        has changed. Any other form of them gives the same model.
        """
        self._partial_fit(X, y, sample_weight, self._expected_classes(y, classes))
        return self

    def fit_blocks(
        self,
        blocks: Iterable[Any],
        *,
        classes: ArrayLike | None = None,
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
        classes : array of shape (n_classes,), default=None
            All labels, if some may not occur; only with one label per row.
        X_val, y_val, sample_weight_val
            As in :meth:`fit`. ``early_stopping=True`` requires them: no rows are split off.

        Returns
        -------
        DNNClassifier
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
        The classes and the input standardisation are computed in a first pass over the blocks (in
        two passes with `class_weight`); each epoch is another pass. The next block is read while
        the current one is trained on.

        Without `shuffle`, the model is that of :meth:`fit` on the same training rows: rows left
        over at the end of a block start the first mini-batch of the next. With `shuffle`, the rows
        within each block are shuffled and the blocks keep their order. If the rows are sorted, for
        instance by class, shuffle them once before you divide them into blocks.

        Examples
        --------
        >>> from dnncore import DNNClassifier
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> blocks = [(X[i::3], y[i::3]) for i in range(3)]
        >>> model = DNNClassifier(learning_rate_init=0.01, random_state=0).fit_blocks(blocks)
        >>> bool(model.score(X, y) > 0.95)
        True
        """
        self._fit_blocks(blocks, classes, X_val, y_val, sample_weight_val)
        return self

    def _new_learner(
        self, known: LearntLabels | None, classes: Any, *, accumulates: bool, in_blocks: bool
    ) -> LabelLearner:
        if classes is not None:
            classes = unique_labels(without_nullable("classes", classes))
            if known is not None and not np.array_equal(classes, known.classes):
                raise ValueError(f"classes must be {known.classes}, as before, got {classes}")
        return LabelLearner(
            known, classes, self.class_weight, accumulates=accumulates, in_blocks=in_blocks
        )

    def _expected_classes(self, y: Any, classes: Any) -> Any:
        """Return the classes that a call to partial_fit may contain.

        None if y determines them, or if they are those of the previous call.
        """
        if np.ndim(y) == 2 and np.shape(y)[1] > 1:
            return None
        known = vars(self).get("classes_")
        if type(classes) is np.ndarray and known is not None and classes.dtype == known.dtype:
            return None if np.array_equal(classes, known) else classes
        if classes is None and not hasattr(self, "network_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return classes

    def _targets(self, learnt: LearntLabels) -> LabelTargets:
        return LabelTargets(learnt, self.label_smoothing)

    def _learnt(self) -> LearntLabels:
        fitted = vars(self)
        return LearntLabels(
            self._kind, self.classes_, fitted.get("class_prior_"), fitted.get("_class_totals")
        )

    def _of_learnt(self, learnt: LearntLabels) -> dict[str, Any]:
        return {
            "_kind": learnt.kind,
            "classes_": learnt.classes,
            "class_prior_": learnt.prior,
            "_class_totals": learnt.totals,
        }

    # ---------------------------------------------------------------------------- priors

    def set_priors(self, priors: ArrayLike) -> DNNClassifier:
        """Adapt the fitted model to class priors other than those of the training data.

        By Bayes' theorem, ``p'(c | x) ~ p(c | x) priors[c] / class_prior_[c]``. The logarithm of
        the ratio ``priors[c] / class_prior_[c]`` is added to the biases of the last layer, so it
        is included in :meth:`freeze` and :meth:`save`.

        Parameters
        ----------
        priors : array of shape (n_classes,)
            Priors in the order of `classes_`. They must be positive; only their ratios matter.
            Further training resets `class_prior_` to the class frequencies in the rows.

        Returns
        -------
        DNNClassifier
            The adapted model.

        Raises
        ------
        ValueError
            If a prior is not positive, or a class did not occur in training.
        """
        network, learnt = self._network_and_learnt()
        old = self._known_priors(learnt)
        with in_range_of_floats("priors"):
            new = np.asarray(priors, np.float64)
        if new.shape != old.shape or not (np.isfinite(new).all() and (new > 0).all()):
            raise ValueError(f"priors must be {old.shape[0]} positive numbers, got {priors!r}")
        new = new / new.sum()
        network.intercepts_[-1][...] += np.log(new / old)
        self.class_prior_ = new
        return self

    def predict_scaled_log_likelihood(self, X: Any) -> NDArray[Any]:
        """Compute the scaled log-likelihoods ``log p(c | x) - log class_prior_[c]``.

        They equal ``log p(x | c)`` up to a term that depends only on x, and serve as emission
        scores of the states c of a hidden Markov model.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Scaled log-likelihoods, in the order of `classes_`.
        """
        logits, learnt = self._logits(X)
        log_p = self._log_proba(logits, learnt)
        log_p -= np.log(self._known_priors(learnt)).astype(log_p.dtype)
        return log_p

    @staticmethod
    def _known_priors(learnt: LearntLabels) -> NDArray[np.float64]:
        priors = learnt.prior
        if priors is None:
            raise ValueError("multi-label targets have no class priors")
        if not (priors > 0).all():
            raise ValueError(f"a class did not occur in training: class_prior_ is {priors}")
        return priors

    # -------------------------------------------------------------------------- scoring

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Compute the logits, the scores before softmax or sigmoid.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        array of shape (n_samples, n_classes), or (n_samples,) for two classes
            Logits in the dtype of the model. For two classes, the difference of the two logits:
            positive where the second class is predicted.
        """
        logits, learnt = self._logits(X)
        if len(learnt.classes) == 2 and learnt.kind != MULTILABEL:
            difference: NDArray[Any] = logits[:, 1] - logits[:, 0]
            return difference
        return logits

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        array of shape (n_samples,)
            Predicted classes. For multi-label targets, indicators of 0 and 1 of shape
            (n_samples, n_classes).
        """
        logits, learnt = self._logits(X)
        if learnt.kind == MULTILABEL:
            return (logits > 0).astype(np.intp)
        labels: NDArray[Any] = learnt.classes[logits.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict class probabilities.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        logits, learnt = self._logits(X)
        function = kernels.sigmoid if learnt.kind == MULTILABEL else kernels.softmax
        return function(logits, out=logits)

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Predict the logarithms of the class probabilities.

        They are computed from the logits and are always finite.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Log-probabilities, in the order of `classes_`.
        """
        return self._log_proba(*self._logits(X))

    @staticmethod
    def _log_proba(logits: NDArray[Any], learnt: LearntLabels) -> NDArray[Any]:
        if learnt.kind == MULTILABEL:
            log_p: NDArray[Any] = -np.logaddexp(0, -logits)
            return log_p
        return kernels.log_softmax(logits, out=logits)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
