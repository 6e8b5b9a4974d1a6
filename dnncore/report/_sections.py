"""The page: the main metrics, the data, the model, then sections specific to its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier

from .._estimators.html import training_facts
from .._estimators.interface import Estimator, TabularModel
from .._html import network_svg
from .._training.history import History, mean_history
from .._version import __version__
from ..display import TrainingCurveDisplay
from ..display._training_curve import training_curve
from ..network import Network
from ._classifier import ClassifierReport
from ._figures import svg
from ._html import (
    Markup,
    bar,
    element,
    facts,
    figures,
    number,
    page,
    percent,
    plural,
    section,
    table,
)
from ._importance import importance_section
from ._regressor import RegressorReport
from ._rows import Rows

MAX_FEATURES, MAX_CLASSES = 100, 100  # in the summary of the data
PLAIN = (
    bool,
    int,
    float,
    str,
    Sequence,
    Mapping,
    np.generic,
    type(None),
)  # with an informative repr
MAX_OPEN = 20  # longer tables are collapsed


def build_page(
    model: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: ArrayLike | None,
    title: str | None,
    feature_names: Sequence[str] | None,
    image_shape: tuple[int, int] | None,
    n_mistakes: int,
    data_summary: Mapping[str, object],
    row_numbers: ArrayLike | None,
) -> str:
    """Return the HTML of :func:`dnncore.report.write_report`."""
    kind = _kind(model)
    rows = Rows.of(model, X, sample_weight, feature_names, image_shape, row_numbers)
    report = kind(model, rows, y, n_mistakes)
    network, _ = network_and_history(model)
    sizes = "-".join(map(str, network.layer_sizes))
    if isinstance(model, TabularModel):
        sizes = f"{len(model.ensemble_.networks)} × {sizes}"
    title = title if title is not None else f"{type(model).__name__} {sizes}"
    measured = plural(rows.n, "row") + (", weighted" if rows.weight is not None else "")
    return page(
        title,
        element("h1", title),
        element("p", f"{type(model).__name__} {sizes}, evaluated on {measured}", class_="muted"),
        figures(report.figures()),
        _data(rows, data_summary, report),
        _model(model, rows),
        *report.sections(),
        importance_section(model, rows, y),
        element("footer", f"Written by dnncore {__version__}."),
    )


def _kind(model: Any) -> type[ClassifierReport] | type[RegressorReport]:
    if isinstance(model, Estimator | TabularModel):
        return ClassifierReport if is_classifier(model) else RegressorReport
    raise TypeError(
        "model must be a DNNClassifier, DNNRegressor, TabularClassifier or TabularRegressor, "
        f"got {type(model).__name__}"
    )


# --------------------------------------------------------------------------------------- data


def _data(
    rows: Rows, summary: Mapping[str, object], report: ClassifierReport | RegressorReport
) -> Markup:
    n_features = len(rows.names)
    known = {str(name): _formatted(value) for name, value in summary.items()}
    counts = {"Evaluated rows": number(rows.n), "Features": number(n_features)}
    parts: list[object] = [facts({**known, **counts})]
    targets = report.target_counts()
    if targets is not None:
        parts += [element("h3", "Classes"), _shares(*targets, rows.n)]
    parts += [element("h3", "Features"), _features(rows)]
    return section("Data", *parts)


def _formatted(value: object) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def _shares(names: list[str], counts: NDArray[Any], n: int) -> Markup:
    most = max(counts.max(), 1)
    order = np.arange(len(names))
    caption = ""
    if len(names) > MAX_CLASSES:
        order = np.sort(np.argsort(-counts, kind="stable")[:MAX_CLASSES])
        caption = f"The {MAX_CLASSES} most frequent of {number(len(names))} classes."
    listed = table(
        ("class", "rows", "fraction", ""),
        (
            (names[i], number(counts[i]), percent(counts[i] / n), bar(counts[i] / most))
            for i in order
        ),
        text=(0, 3),
        caption=caption,
    )
    return _folded("classes", len(order), listed)


def _features(rows: Rows) -> Markup:
    n_features = len(rows.names)
    lines = []
    for i, name in enumerate(rows.names[:MAX_FEATURES]):
        x = rows.dense(columns=[i])
        absent = np.isnan(x)
        present = x[~absent]
        if len(present):
            values = [present.min(), present.mean(), present.max(), present.std()]
        else:
            values = [np.nan] * 4
        lines.append((name, *map(number, values), number(absent.sum())))
    caption = ""
    if n_features > MAX_FEATURES:
        caption = f"The first {MAX_FEATURES} of {number(n_features)} features."
    header = ("feature", "min", "mean", "max", "sd", "missing")
    return _folded("features", len(lines), table(header, lines, caption=caption))


def _folded(what: str, n_lines: int, listed: Markup) -> Markup:
    """Return a table, collapsed if it is long."""
    if n_lines <= MAX_OPEN:
        return listed
    return element("details", element("summary", f"Show {n_lines} {what}"), listed)


# -------------------------------------------------------------------------------------- model


def _model(model: Any, rows: Rows) -> Markup:
    network, history = network_and_history(model)
    tabular = isinstance(model, TabularModel)
    classes = getattr(model, "classes_", None)
    drawing = network_svg(
        network,
        input_names=rows.names if rows.named and not tabular else None,
        output_names=None if classes is None else list(map(str, classes)),
    )
    n_parameters = model.ensemble_.n_parameters if tabular else network.n_parameters
    about = {"Networks": f"{len(model.ensemble_.networks)}, one of them drawn"} if tabular else {}
    about |= {
        "Parameters": f"{n_parameters:,} ({network.dtype})",
        **training_facts(history),
    }
    settings = f"Settings: {_settings(model)}."
    drawn = element("div", Markup(drawing), class_="scroll")
    parts = [element("div", drawn, facts(about), class_="side"), element("p", settings)]
    if history.loss_curve:
        curve = _mean_curve(history) if tabular else training_curve(model)
        display = TrainingCurveDisplay(**curve)
        n = 1 + len(display.scores)
        parts.append(
            svg(
                "training", "Loss and scores over the epochs", (8, 0.8 + 2 * n),
                lambda figure: display.plot(ax=figure.subplots(n, 1, sharex=True, squeeze=False)),
            )
        )  # fmt: skip
    return section("Model", *parts)


def network_and_history(model: Estimator | TabularModel) -> tuple[Network, History]:
    """Return the network and its history; of an ensemble, a network and the mean history."""
    if isinstance(model, TabularModel):
        return model.ensemble_.networks[0], mean_history(model.histories_)
    return model.network_, model.history_


def _mean_curve(history: History) -> dict[str, Any]:
    """Return the arguments of a TrainingCurveDisplay of an ensemble."""
    return {
        "loss": history.loss_curve,
        "validation_loss": history.validation_losses or None,
        "best_is_kept": False,  # Each network has its own.
    }


def _settings(model: Any) -> str:
    """Return the parameters that differ from their defaults."""
    default = type(model)().get_params(deep=False)
    changed = {
        name: value
        for name, value in model.get_params(deep=False).items()
        if isinstance(value, PLAIN) and repr(value) != repr(default[name])
    }
    return ", ".join(f"{name}={value!r:.80}" for name, value in changed.items()) or "all default"
