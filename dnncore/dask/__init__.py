"""The estimators on Dask collections: data that outgrow one machine.

A fit is a sequence of rounds. A round is a graph of pure tasks, one for each group of partitions,
whose values are added in a fixed tree; it depends on nothing that a worker has kept. See
docs/explanation/dask.md.
"""

from .._core.optional import package_for

with package_for(__name__, "Dask", name="dask", extra="dask"):
    from .classifier import DaskDNNClassifier
    from .regressor import DaskDNNRegressor

__all__ = ["DaskDNNClassifier", "DaskDNNRegressor"]
