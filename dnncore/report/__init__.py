"""A report on a trained model and its predictions, as a self-contained HTML page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from .._core import checks as check
from .._data.atomic import write_atomically
from .._estimators.interface import Estimator, TabularModel
from ..display._axes import require_matplotlib

__all__ = ["write_report"]


def write_report(
    model: Estimator | TabularModel,
    X: Any,
    y: Any,
    path: str | os.PathLike[str],
    *,
    sample_weight: ArrayLike | None = None,
    title: str | None = None,
    feature_names: Sequence[str] | None = None,
    image_shape: tuple[int, int] | None = None,
    n_mistakes: int = 20,
    data_summary: Mapping[str, object] | None = None,
    row_numbers: ArrayLike | None = None,
) -> None:
    """Write an HTML report on a model and its predictions.

    For a classifier, the report contains accuracy (also that of the most frequent class) and
    log-loss, precision, recall and F1 of each class, the confusion matrix, the rows with the
    highest loss, ROC and precision-recall curves, and the calibration of the probabilities. For a
    regressor, it contains R2 and errors (also that of the mean), predictions and residuals, and the
    rows with the largest errors. For both, it summarises the data, the network and its training,
    and tells how much each column matters (permutation importance, on at most 1000 rows).

    The page is self-contained, has no scripts, and supports light and dark mode. The same
    arguments give the same bytes.

    Parameters
    ----------
    model : fitted DNNClassifier, DNNRegressor, TabularClassifier or TabularRegressor
    X : array, sparse matrix or data frame (n_samples, n_features)
        Rows that the model was not trained on; otherwise the scores are too optimistic. At least
        one row.
    y : array
        Targets, as in `fit` of the model.
    path : str or path-like
        Path of the file, which is replaced atomically.
    sample_weight : array (n_samples,), optional
        Sample weights, used for all metrics but not for the summary of the features.
    title : str, optional
        Title of the page. Default: the class and the layer sizes of the model.
    feature_names : sequence of n_features str, optional
        Names of the features. Default: those that the model was trained with, otherwise x0,
        x1, ...
    image_shape : (height, width), optional
        Shape of a row of X as an image; rows are then shown as images. Default: square, if the
        number of features is a square of at least 49 and the features have no names, or names
        that start with 'pixel'.
    n_mistakes : int
        Number of rows with the highest loss or the largest errors to list.
    data_summary : mapping of str to object, optional
        Additional facts about the data, such as its file and the number of training rows.
    row_numbers : array (n_samples,) of int, optional
        Numbers by which the rows are listed, such as those in a file. Default: 0, 1, ...

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; nothing is written.
    ImportError
        If Matplotlib is not installed.
    OSError
        If the file cannot be written; an existing file is left unchanged.

    Examples
    --------
    >>> from dnncore import DNNClassifier
    >>> from dnncore.report import write_report
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DNNClassifier(early_stopping=True, random_state=0).fit(X[:1400], y[:1400])
    >>> write_report(model, X[1400:], y[1400:], "digits.html")  # doctest: +SKIP
    """
    require_matplotlib("write_report")
    from ._sections import build_page

    if title is not None and not isinstance(title, str):
        raise TypeError(f"title must be a string, got {title!r:.80}")
    if data_summary is not None and not isinstance(data_summary, Mapping):
        raise TypeError(f"data_summary must be a mapping, got {data_summary!r:.80}")
    page = build_page(
        model,
        X,
        y,
        sample_weight=sample_weight,
        title=title,
        feature_names=feature_names,
        image_shape=image_shape,
        n_mistakes=check.integer("n_mistakes", n_mistakes, low=0),
        data_summary=data_summary or {},
        row_numbers=row_numbers,
    )
    write_atomically(path, page.encode(errors="backslashreplace"))
