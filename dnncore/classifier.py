"""DNNClassifier: the network as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from . import kernels
from ._estimators.base import DNNEstimator, takes_mini_batches
from ._estimators.label_learning import LabelLearner
from ._estimators.labels import LabelTargets
from ._estimators.learnt import MULTILABEL, LearntLabels
from .training import EpochInfo


class DNNClassifier(ClassifierMixin, DNNEstimator):  # type: ignore[misc]
    """Dense neural network: norm, hidden layers, softmax, trained on the cross-entropy.

    Parameters that :class:`sklearn.neural_network.MLPClassifier` has too mean the same here.
    All computation is in float32 if `fit` gets float32, else in float64.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer; ``()`` is multinomial logistic regression.
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
    class_weight : dict or 'balanced', optional
        Weight of each class, which multiplies the sample weights; 'balanced' gives every class
        the same total.
    label_smoothing : float in [0, 1)
        Share of each label that is spread evenly over all classes while training.
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
    classes_ : array (n_classes,)
    class_prior_ : array (n_classes,)
        Weighted shares of the classes in training, or what :meth:`set_priors` made of them; not
        for labels of several outputs.
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

    Notes
    -----
    Two classes have two outputs and a softmax, where `MLPClassifier` has one and a sigmoid.

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
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        scoring: Any = None,
        max_time: float | None = None,
        n_threads: int | None = None,
        engine: str = "auto",
        callback: Callable[[EpochInfo], object] | None = None,
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
        self.norm = norm
        self.missing_values = missing_values
        self.dropout = dropout
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.scoring = scoring
        self.max_time = max_time
        self.n_threads = n_threads
        self.engine = engine
        self.callback = callback

    classes_: NDArray[Any]
    class_prior_: NDArray[np.float64]
    _kind: str
    _class_totals: NDArray[np.float64]

    @classmethod
    def from_sklearn(cls, model: Any, *, class_prior: ArrayLike | None = None) -> Self:
        """Make a fitted classifier of scikit-learn's, with the same predictions.

        Parameters
        ----------
        model : MLPClassifier, or Pipeline of StandardScaler and MLPClassifier
            Fitted. The scaler becomes norm, the one output for two classes a softmax of two.
        class_prior : array (n_classes,), optional
            Shares of the classes in training, which scikit-learn does not keep. Default: equal
            shares. Only :meth:`set_priors` and :meth:`predict_scaled_log_likelihood` use them.

        Returns
        -------
        DNNClassifier
            With copies, and the parameters that both have. It can go on training with
            :meth:`partial_fit` or `warm_start`; the solver's state (momentum, Adam's moments)
            begins afresh. A scaler without mean or without scale is not updated.

        Raises
        ------
        TypeError, ValueError
            If `model` is something else, not fitted, or was fitted on one class only.
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
        """Train until nothing improves, or for `max_iter` epochs.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)
            float32 stays float32; anything else becomes float64. Finite, but for missing values.
            A sparse matrix (CSR; others are converted) is made dense a mini-batch at a time,
            and gives the same model as the dense one.
        y : array (n_samples,) or (n_samples, n_classes)
            Class labels, integers or strings. Of two dimensions: 0 and 1 for labels of which
            several may be true (each gets a sigmoid of its own), or rows of probabilities
            that add up to 1.
        sample_weight : array (n_samples,), optional
            Not negative and not all zero. Counts in the loss and in norm.
        X_val, y_val : as `X` (n, n_features) and as `y`, optional
            Validation rows: scored after each epoch, and used by `early_stopping` and the
            schedule 'newbob'.
        sample_weight_val : array (n,), optional
            Weights of the validation rows.

        Returns
        -------
        DNNClassifier
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
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        classes: Any = None,
    ) -> DNNClassifier:
        """Train one epoch on the rows given, and let norm take them in.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        classes : array (n_classes,)
            All labels that will ever come; needed in the first call, unless y is
            two-dimensional.

        Returns
        -------
        DNNClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter does not fit; the model is as before.
        """
        self._partial_fit(X, y, sample_weight, self._classes_to_come(y, classes))
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
        """As `fit`, on rows that come block by block, and need not fit into memory together.

        Parameters
        ----------
        blocks : iterable of (X, y) or (X, y, sample_weight)
            Gives the same rows in every iteration, such as a list, or
            :class:`dnncore.blocks.NpyBlocks` and :class:`dnncore.blocks.ParquetBlocks` of files.
            X, y and sample_weight are as in :meth:`fit`, of all rows together; the dtype is that
            of the first block. Weights may be all zero in a block.
        classes : array (n_classes,), optional
            All labels, if some may not come; with one label a row.
        X_val, y_val, sample_weight_val
            As in :meth:`fit`. `early_stopping` needs them: no rows are split off.

        Returns
        -------
        DNNClassifier
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
        The first pass over the blocks learns the classes and norm, with `class_weight` the first
        two; each epoch is one more. The next block is read while one is trained on.

        Without `shuffle` the model is that of :meth:`fit` with all rows: rows left over from the
        last mini-batch of a block begin the first one of the next. With `shuffle` the rows of each
        block are shuffled and the blocks stay in their order, so if the rows are sorted, for
        instance by class, shuffle them once before you divide them.

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
        self, known: LearntLabels | None, classes: Any, accumulates: bool
    ) -> LabelLearner:
        before = None if known is None else known.classes
        if classes is not None and classes is not before:
            classes = unique_labels(classes)
            if before is not None and not np.array_equal(classes, before):
                raise ValueError(f"classes must be {before} as before, got {classes}")
        return LabelLearner(known, classes, self.class_weight, accumulates)

    def _classes_to_come(self, y: Any, classes: Any) -> Any:
        """The classes that may come in a call to partial_fit; None leaves them to y."""
        if np.ndim(y) == 2 and np.shape(y)[1] > 1:
            return None
        if classes is None and not hasattr(self, "network_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self.classes_ if classes is None else classes

    def _targets(self, learnt: LearntLabels) -> LabelTargets:
        return LabelTargets(learnt, self.label_smoothing)

    def _learnt(self) -> LearntLabels:
        totals, prior = (getattr(self, name, None) for name in ("_class_totals", "class_prior_"))
        return LearntLabels(self._kind, self.classes_, prior, totals)

    def _adopt_learnt(self, learnt: LearntLabels) -> None:
        self._kind, self.classes_ = learnt.kind, learnt.classes
        for name, value in (("class_prior_", learnt.prior), ("_class_totals", learnt.totals)):
            self.__dict__.pop(name, None)
            if value is not None:
                setattr(self, name, value)

    # ---------------------------------------------------------------------------- priors

    def set_priors(self, priors: ArrayLike) -> DNNClassifier:
        """Adapt the fitted model to other shares of the classes than it was trained with.

        By Bayes' theorem ``p'(c | x) ~ p(c | x) priors[c] / class_prior_[c]``: the logarithm of
        that ratio is added to the last biases, so that :meth:`freeze` and :meth:`save` have it
        too.

        Parameters
        ----------
        priors : array (n_classes,)
            Positive; in the order of `classes_`. Only their ratios count. Training further sets
            `class_prior_` to the shares in the rows again.

        Returns
        -------
        DNNClassifier
            Itself.

        Raises
        ------
        ValueError
            If a prior is not positive, or a class did not occur in training.
        """
        check_is_fitted(self)
        old = self._known_priors()
        new = np.asarray(priors, np.float64)
        if new.shape != old.shape or not (np.isfinite(new).all() and (new > 0).all()):
            raise ValueError(f"priors must be {old.shape[0]} positive numbers, got {priors!r}")
        new = new / new.sum()
        self.intercepts_[-1][...] += np.log(new / old)
        self.class_prior_ = new
        return self

    def predict_scaled_log_likelihood(self, X: Any) -> NDArray[Any]:
        """``log p(x | c)`` up to a term of x alone: ``log p(c | x) - log class_prior_[c]``.

        What a hidden Markov model takes as the emission score of its state c.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes)
        """
        log_p = self.predict_log_proba(X)
        log_p -= np.log(self._known_priors()).astype(log_p.dtype)
        return log_p

    def _known_priors(self) -> NDArray[np.float64]:
        priors: NDArray[np.float64] | None = getattr(self, "class_prior_", None)
        if priors is None:
            raise ValueError("labels of several outputs have no class priors")
        if not (priors > 0).all():
            raise ValueError(f"a class did not occur in training: class_prior_ is {priors}")
        return priors

    # -------------------------------------------------------------------------- scoring

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Logits, the confidence before softmax or sigmoid.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes), or for two classes (n_samples,)
            Of the dtype the model was trained in. For two classes the difference of the
            two logits: positive where the second class is predicted.
        """
        logits = self._logits(X)
        if len(self.classes_) == 2 and self._kind != MULTILABEL:
            difference: NDArray[Any] = logits[:, 1] - logits[:, 0]
            return difference
        return logits

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples,)
            For labels of several outputs, 0 and 1 (n_samples, n_classes).
        """
        logits = self._logits(X)
        if self._kind == MULTILABEL:
            return (logits > 0).astype(np.intp)
        labels: NDArray[Any] = self.classes_[logits.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes)
        """
        logits = self._logits(X)
        function = kernels.sigmoid if self._kind == MULTILABEL else kernels.softmax
        return function(logits, out=logits)

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Logarithms of the class probabilities, computed from the logits: always finite.

        Parameters
        ----------
        X : array, data frame or sparse matrix (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes)
        """
        logits = self._logits(X)
        if self._kind == MULTILABEL:
            log_p: NDArray[Any] = -np.logaddexp(0, -logits)
            return log_p
        return kernels.log_softmax(logits, out=logits)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
