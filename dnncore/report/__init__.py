"""A trained model and what it does on held-out rows, as one HTML page that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from .._core import checks as check
from .._estimators.interface import Estimator
from ..display._axes import require_matplotlib

__all__ = ["write_report"]


def write_report(
    model: Estimator,
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
) -> None:
    """Write what there is to see of a model and its predictions into one HTML file.

    For a classifier: accuracy and log loss, precision, recall and F1 of each class, the
    confusion matrix, the rows with the highest loss, and how far the probabilities can be
    trusted. For a regressor: R2 and errors, predictions and residuals, and the largest errors.
    For both: the data, the network drawn, and its training.

    The file refers to nothing outside it, holds no script, and suits light and dark screens. The
    same arguments give the same bytes.

    Parameters
    ----------
    model : fitted DNNClassifier or DNNRegressor
        May come from a file.
    X : array, sparse matrix or data frame (n_samples, n_features)
        Rows that the model was not trained on, else the page flatters it. At least one.
    y : array
        As in `fit` of the model.
    path : str or path-like
        The file is replaced in one step.
    sample_weight : array (n_samples,), optional
        Counts in all that is measured, but not in the summary of the features.
    title : str, optional
    feature_names : sequence of n_features str, optional
        By default those that the model was trained with, else x0, x1, ...
    image_shape : (height, width), optional
        Shape of a row of X as an image, which is then shown. By default square, if there are at
        least 49 features that make a square and have no names, or names that begin with 'pixel'.
    n_mistakes : int
        How many of the rows with the highest loss or the largest errors are listed.
    data_summary : mapping of str to object, optional
        What else is to be said of the data, such as its file and the number of training rows.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit; nothing has been written.
    ImportError
        If Matplotlib is not installed.
    OSError
        If the file cannot be written; the old one is left.

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
    from .._data.atomic import write_atomically
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
    )
    write_atomically(path, page.encode(errors="backslashreplace"))
