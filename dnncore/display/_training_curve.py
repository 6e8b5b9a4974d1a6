"""Loss and scores over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.names import check_loss
from .._estimators.interface import Estimator, early_stopping_of
from .._training.history import History
from ..training import Trainer
from ._axes import BLUE, GREEN, ORANGE, PURPLE, finish, panels, require_matplotlib

LOSS_NAMES = {
    "cross_entropy": "cross-entropy",
    "binary_cross_entropy": "binary cross-entropy",
    "squared_error": "squared error",
    "huber": "Huber",
    "absolute_error": "absolute error",
    "poisson": "Poisson deviance",
    "quantile": "quantile loss",
}
ACCURACY, R2, D2, SCORE = "accuracy", "R²", "D²", "score"


class TrainingCurveDisplay:
    """Training loss, and validation loss and scores, over the epochs.

    The display has one panel for the losses and one per score. It marks the best epoch, the one
    with the highest first score or, without scores, with the lowest validation loss, if the model
    has its parameters.

    Parameters
    ----------
    loss : sequence of n_epochs floats
        Training loss of each epoch; at least one.
    validation_loss : sequence of floats, optional
        Loss on the validation set. If shorter than `loss`, it belongs to the last epochs.
    scores : mapping of str to sequence of floats, optional
        Scores on the validation set by name; larger is better. If shorter than `loss`, they
        belong to the last epochs. A score named 'accuracy' is shown in percent.
    loss_name : str, optional
        Name of the loss, for the label of the axis.
    best_is_kept : bool
        Whether the model has the parameters of the best epoch rather than those of the last.
    best_by_loss : bool
        Whether the best epoch is that of the lowest validation loss even if there are scores.

    Attributes
    ----------
    loss, validation_loss, scores, loss_name, best_is_kept, best_by_loss
        See parameters.
    best_epoch : int or None
        The best epoch, counted from 1; None without a validation set.
    ax_ : matplotlib Axes
        The first panel, which shows the losses.
    axes_ : array of matplotlib Axes (n_panels,)
        All panels.
    figure_ : matplotlib Figure
        The figure that contains the panels.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dnncore import DNNClassifier
    >>> from dnncore.display import TrainingCurveDisplay
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DNNClassifier(early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(model)
    >>> plt.show()  # doctest: +SKIP
    """

    ax_: Any
    axes_: NDArray[Any]
    figure_: Any

    def __init__(
        self,
        loss: Sequence[float],
        *,
        validation_loss: Sequence[float] | None = None,
        scores: Mapping[str, Sequence[float]] | None = None,
        loss_name: str | None = None,
        best_is_kept: bool = False,
        best_by_loss: bool = False,
    ) -> None:
        self.loss = list(loss)
        self.validation_loss = list(validation_loss) if validation_loss is not None else None
        self.scores = {name: list(values) for name, values in (scores or {}).items()}
        self.loss_name = loss_name
        self.best_is_kept = best_is_kept
        self.best_by_loss = best_by_loss
        if not self.loss:
            raise ValueError("loss must have at least one epoch, got none")
        for name, curve in {"validation_loss": self.validation_loss or (), **self.scores}.items():
            if len(curve) > len(self.loss):
                raise ValueError(
                    f"{name} must have at most {len(self.loss)} epochs like loss, got {len(curve)}"
                )
        self.best_epoch = self._best_epoch()

    @property
    def _judged(self) -> tuple[int, str, list[float]] | None:
        """The curve that determines the best epoch: its panel, name and values."""
        if self.scores and not (self.best_by_loss and self.validation_loss):
            name, values = next(iter(self.scores.items()))
            return 1, name, values
        if self.validation_loss:
            return 0, "loss", self.validation_loss
        return None

    def _best_epoch(self) -> int | None:
        """Return the first epoch with the best value."""
        if self._judged is None:
            return None
        panel, _, judged = self._judged
        values = np.asarray(judged, np.float64) * (1 if panel else -1)
        if not (values > -np.inf).any():
            return None
        return len(self.loss) - len(values) + int(np.nanargmax(values)) + 1

    @classmethod
    def from_estimator(
        cls, model: Estimator | Trainer, *, scores: Sequence[str] | None = None, ax: Any = None
    ) -> TrainingCurveDisplay:
        """Plot the training history of a model.

        Parameters
        ----------
        model : fitted DNNClassifier or DNNRegressor, or Trainer
            Model files store the losses and scores, so a loaded estimator can be plotted as well.
        scores : sequence of str, optional
            Names of the scores in ``history_.metrics`` to show, in this order. Default: all of
            them or, if there are none, the accuracy or R2 that early stopping monitors.
        ax : matplotlib Axes or array of Axes, optional
            See :meth:`plot`.

        Returns
        -------
        TrainingCurveDisplay

        Raises
        ------
        TypeError
            If `model` has no training history, such as a Network.
        ValueError
            If the model has not been trained, or a name in `scores` is unknown.
        ImportError
            If Matplotlib is not installed.
        """
        require_matplotlib(cls.__name__)
        return cls(**training_curve(model, scores)).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> TrainingCurveDisplay:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, optional
            A single Axes, which is divided if there are several panels, or one Axes per panel
            (losses first). Default: a new pyplot figure.

        Returns
        -------
        TrainingCurveDisplay
            The display itself.
        """
        require_matplotlib(type(self).__name__)
        from matplotlib.ticker import MaxNLocator

        n_panels = 1 + len(self.scores)
        self.figure_, self.axes_ = panels(ax, n_panels, (8, 1.5 + 2.5 * n_panels))
        self.ax_ = self.axes_[0]
        self._plot_loss(self.ax_)
        colours = (ORANGE, GREEN, PURPLE, BLUE)
        for i, (panel, name) in enumerate(zip(self.axes_[1:], self.scores, strict=True)):
            self._plot_score(panel, name, colours[i % len(colours)])
        for panel in self.axes_:
            finish(panel)
            if self.best_epoch is not None and self.best_is_kept:
                panel.axvline(self.best_epoch, color="grey", linestyle="--", linewidth=1, zorder=1)
            panel.set_xlim(0.5, len(self.loss) + 0.5)
            panel.xaxis.set_major_locator(
                MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
            )
        self.axes_[-1].set_xlabel("epoch")
        self._label_best()
        return self

    def _plot_loss(self, ax: Any) -> None:
        curves = {"training": (self.loss, BLUE)}
        if self.validation_loss:
            curves["validation"] = (self.validation_loss, ORANGE)
        for label, (values, colour) in curves.items():
            self._line(ax, values, color=colour, label=label)
        name = "loss" if self.loss_name is None else f"loss\n({self.loss_name})"
        if self.validation_loss:
            ax.set_ylabel(name)
            ax.legend(frameon=False)
        else:
            ax.set_ylabel(f"training {name}")
        lowest, highest = (f(f(values) for values, _ in curves.values()) for f in (min, max))
        if lowest > 0:
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_formatter("{x:g}" if 1 < highest / lowest < 10 else "")

    def _plot_score(self, ax: Any, name: str, colour: str) -> None:
        from matplotlib.ticker import MaxNLocator

        values = self.scores[name]
        self._line(ax, values, color=colour, label=name)
        ax.set_ylabel(f"validation {name}", parse_math=False)
        if name == ACCURACY:
            low = min(*values, 0.95)
            ax.set_ylabel("validation accuracy (%)")
            ax.set_ylim(low - 0.15 * (1 - low), 1 + 0.05 * (1 - low))
            ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
            ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")

    def _line(self, ax: Any, values: Sequence[float], **style: Any) -> None:
        n = len(self.loss)
        marker = "o" if len(values) == 1 else None
        ax.plot(range(n - len(values) + 1, n + 1), values, linewidth=2, marker=marker, **style)

    def _label_best(self) -> None:
        """Mark and label the best epoch, if it is kept, on the curve that determines it."""
        if self.best_epoch is None or self._judged is None or not self.best_is_kept:
            return
        panel, name, values = self._judged
        ax, best = self.axes_[panel], values[self.best_epoch - 1 - len(self.loss)]
        ax.plot(
            self.best_epoch, best, "o", color=ORANGE, markersize=9,
            markeredgecolor=ax.get_facecolor(),
        )  # fmt: skip
        on_the_right = self.best_epoch > 0.6 * len(self.loss)
        value = f"{best:.1%}" if name == ACCURACY else f"{best:.4g}"
        ax.annotate(
            f"best epoch {self.best_epoch}: {value} (kept)",
            (self.best_epoch, 0.08),
            xycoords=("data", "axes fraction"),
            xytext=(-10 if on_the_right else 10, 0),
            textcoords="offset points",
            horizontalalignment="right" if on_the_right else "left",
            bbox={
                "boxstyle": "round", "edgecolor": "grey", "alpha": 0.8, "linewidth": 0.5,
                "facecolor": ax.get_facecolor(),
            },
        )  # fmt: skip


def training_curve(
    model: Estimator | Trainer, scores: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the arguments of a :class:`TrainingCurveDisplay` that show a model.

    Reports use it as well, as they plot on figures of their own. Arguments and errors are those of
    :meth:`TrainingCurveDisplay.from_estimator`.
    """
    history = _history(model)
    kept: bool | str = False
    if isinstance(model, Estimator):
        kept = early_stopping_of(model, validated=bool(history.validation_losses))
    return {
        **_curves(history, _score_name(model), scores),
        "loss_name": _loss_name(model),
        "best_is_kept": bool(kept),
        "best_by_loss": kept == "loss",
    }


def _history(model: Any) -> History:
    history: History | None = getattr(model, "history_", getattr(model, "history", None))
    if history is None and hasattr(model, "fit"):
        raise ValueError(f"this {type(model).__name__} has not been trained: call fit first")
    if history is None:
        raise TypeError(
            "model must have a training history (DNNClassifier, DNNRegressor or Trainer), got "
            f"{type(model).__name__}"
        )
    if not history.loss_curve:
        raise ValueError(f"this {type(model).__name__} has no training history")
    return history


def _curves(history: History, score_name: str, wanted: Sequence[str] | None) -> dict[str, Any]:
    """Return the arguments that come from the history."""
    scores: dict[str, Sequence[float]] = dict(history.metrics)
    if not scores and history.validation_scores:
        scores = {score_name: history.validation_scores}
    if wanted is not None:
        unknown = [name for name in wanted if name not in scores]
        if unknown:
            raise ValueError(f"scores must be among {list(scores)}, got {unknown[0]!r}")
        scores = {name: scores[name] for name in wanted}
    return {
        "loss": history.loss_curve,
        "validation_loss": history.validation_losses or None,
        "scores": scores,
    }


def _score_name(model: Any) -> str:
    """Return the name of the validation score."""
    scoring = getattr(model, "scoring", None)
    if isinstance(scoring, str):
        return scoring
    if scoring is not None:
        first = SCORE if callable(scoring) else next(iter(scoring), SCORE)
        return str(first)
    if not hasattr(model, "network_"):
        return SCORE  # a trainer computes a user-defined score
    if hasattr(model, "classes_"):
        return ACCURACY
    return D2 if model.network_.output == "sorted" else R2


def _loss_name(model: Any) -> str | None:
    network = getattr(model, "network_", getattr(model, "network", None))
    if network is None:
        return None
    loss = check_loss(getattr(model, "loss", None), network.output)
    return LOSS_NAMES.get(loss, loss)
