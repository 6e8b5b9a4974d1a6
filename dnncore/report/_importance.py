"""Permutation importance of the columns for the rows of a report."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._core.labels import Labels
from .._estimators.importances import permutation_importances
from .._estimators.interface import TabularModel, encoded_targets, loss_options_of
from ._html import Markup, bar, element, number, section, table
from ._rows import Rows, as_dense

MAX_ROWS = 1000  # a random sample of them
MAX_LOSSES = 1000  # as many as there are pairs of a network and a column
MAX_LISTED = 20


def importance_section(model: Any, rows: Rows, y: Any) -> Markup:
    """Return the section; empty for images, sparse rows and very many columns."""
    tabular = isinstance(model, TabularModel)
    networks = model.ensemble_.networks if tabular else [model.network_]
    encoding = model.encoder_.encoding_ if tabular else None
    names = rows.names if encoding is None else [column.name for column in encoding.columns]
    if rows.image_shape or issparse(rows.X) or len(networks) * len(names) > MAX_LOSSES:
        return Markup("")
    if encoding is None:
        X, features = rows.X.astype(networks[0].dtype), [[i] for i in range(len(names))]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns with and without names
            X = model.encoder_.transform(rows.given)
        features = encoding.features
    random = np.random.RandomState(0)
    chosen = random.permutation(rows.n)[:MAX_ROWS]
    targets = encoded_targets(model, "y", as_dense(y), X.dtype)
    weight = None if rows.weight is None else rows.weight[chosen].astype(X.dtype)
    growth = permutation_importances(
        networks,
        X[chosen],
        Labels.of(targets[chosen], weight),
        [np.arange(len(chosen))] * len(networks),
        features,
        random,
        **({} if tabular else loss_options_of(model)),
    )
    order = np.argsort(-growth, kind="stable")[:MAX_LISTED]
    most = max(float(growth.max()), np.finfo(float).tiny)
    lines = [(names[i], number(growth[i], 3), bar(max(growth[i], 0.0) / most)) for i in order]
    text = (
        "How much the mean loss grows if the values of a column are exchanged between rows at "
        "random. Columns that tell the same share their importance."
    )
    caption = f"The {len(order)} of {len(names)} columns with the largest." * (
        len(order) < len(names)
    )
    listed = table(("column", "growth of the loss", ""), lines, text=(0, 2), caption=caption)
    return section("Permutation importance", element("p", text), listed)
