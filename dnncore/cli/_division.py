"""Split rows into training, validation and test rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ._arguments import CommandError
from ._output import plural
from .tables import Dataset, TableRows

MANY_CLASSES = 20
NO_TRAINING_ROWS = "no training rows are left; reduce --test-size or --validation-fraction"


class Shares(NamedTuple):
    """Parameters of the split.

    Attributes
    ----------
    test : float
        Fraction of all rows.
    validation : float
        Fraction of the remaining rows.
    seed : int
        Seed of the random split.
    """

    test: float
    validation: float
    seed: int

    def draw(self, random: np.random.Generator, n_rows: int) -> NDArray[np.intp]:
        """Draw the part of each row: 0 for training, 1 for validation, 2 for the test."""
        edges = [1 - self.test - (1 - self.test) * self.validation, 1 - self.test]
        return np.searchsorted(edges, random.random(n_rows), side="right")


class Fingerprint:
    """SHA-256 of rows, in their order and wherever blocks of them begin, and of their split.

    Parameters
    ----------
    shares : Shares
    in_blocks : bool
        Whether the rows are split block by block.
    """

    def __init__(self, shares: Shares, *, in_blocks: bool) -> None:
        self._split = repr((*shares, in_blocks))
        self._X, self._y = hashlib.sha256(), hashlib.sha256()

    def add(self, X: NDArray[Any], y: NDArray[Any]) -> None:
        """Add some rows and their targets."""
        self._X.update(np.ascontiguousarray(X).data)
        if y.dtype.kind in "OUT":
            self._y.update("".join(f"{label}\0" for label in y.ravel().tolist()).encode())
        else:
            self._y.update(np.ascontiguousarray(y, np.float64).data)

    def __str__(self) -> str:
        parts = (self._split, self._X.hexdigest(), self._y.hexdigest())
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


class Parts(Protocol):
    """Training, validation and test rows.

    Attributes
    ----------
    sizes : tuple of 3 ints
        Number of training, validation and test rows.
    n_classes : int or None
        Number of classes; None unless the target is one label per row.
    classes_are_integers : bool
        Whether the classes, if there are any, are integers.
    fingerprint : str
        Equal for the same rows in the same order, split in the same way.
    """

    sizes: tuple[int, int, int]
    n_classes: int | None
    classes_are_integers: bool

    @property
    def fingerprint(self) -> str: ...

    def fit(self, model: Any) -> None:
        """Train an estimator on the training rows."""
        ...

    def held_out(self) -> Iterator[TableRows]:
        """Yield the test rows; y as in the data."""
        ...


class PartsInMemory:
    """A split of rows in memory, stratified by label.

    Parameters
    ----------
    data : Dataset
    shares : Shares
    labels : bool
        Whether the target is one label per row.
    """

    def __init__(self, data: Dataset, shares: Shares, *, labels: bool) -> None:
        blocks = list(data)
        self._shares, self._X = shares, joined([block.X for block in blocks])
        self._y = np.concatenate([block.y for block in blocks if block.y is not None])
        rows = np.arange(len(self._y))
        self.n_classes = _count_classes(self._y, shares) if labels else None
        self.classes_are_integers = self._y.dtype.kind in "iu"
        try:
            rest, self._test = self._split(rows, shares.test, shares.seed, labels)
            self._train, self._validation = self._split(
                rest, shares.validation, shares.seed, labels
            )
        except ValueError as error:
            n_classes = self.n_classes or 0
            each = f"a row of each of the {n_classes} classes" if n_classes else "a row"
            raise CommandError(
                f"{len(rows)} rows cannot be split: each part needs {each}, with --test-size "
                f"{shares.test:g} and --validation-fraction {shares.validation:g}"
                f"{_advice(self._y, n_classes)}"
            ) from error
        if self.n_classes and len(np.unique(self._y[self._train])) < self.n_classes:
            raise CommandError(
                "at least one class has no training rows left; reduce --test-size or "
                "--validation-fraction"
            )
        self.sizes = len(self._train), len(self._validation), len(self._test)

    @property
    def fingerprint(self) -> str:
        """See `Parts`; for rows that are arrays."""
        fingerprint = Fingerprint(self._shares, in_blocks=False)
        fingerprint.add(self._X, self._y)
        return str(fingerprint)

    def _split(
        self, rows: NDArray[np.intp], fraction: float, seed: int, stratify: bool
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Split off a fraction of the rows."""
        from sklearn.model_selection import train_test_split

        if fraction == 0:
            return rows, rows[:0]
        rest, part = train_test_split(
            rows, test_size=fraction, stratify=self._y[rows] if stratify else None,
            random_state=seed,
        )  # fmt: skip
        return rest, part

    def fit(self, model: Any) -> None:
        held_out = {}
        if len(self._validation):
            X_val = rows_of(self._X, self._validation)
            held_out = {"X_val": X_val, "y_val": self._y[self._validation]}
        model.fit(rows_of(self._X, self._train), self.y_train, **held_out)

    @property
    def y_train(self) -> NDArray[Any]:
        """Targets of the training rows."""
        return self._y[self._train]

    def held_out(self) -> Iterator[TableRows]:
        if len(self._test):
            yield TableRows(rows_of(self._X, self._test), self._y[self._test], self._test + 1)


def joined(parts: list[Any]) -> Any:
    """Concatenate arrays, or Arrow tables."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import pyarrow as pa

    return pa.concat_tables(parts)


def rows_of(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return some rows of an array, or of an Arrow table."""
    return X[rows] if isinstance(X, np.ndarray) else X.take(rows)


class PartsInBlocks:
    """A random split of rows that are read in blocks, the same each time the file is read.

    Only the validation rows are kept in memory. Parameters as in `PartsInMemory`.
    """

    def __init__(self, data: Dataset, shares: Shares, *, labels: bool) -> None:
        self._data, self._shares = data, shares
        sizes = [0, 0, 0]
        kept: list[TableRows] = []
        classes: NDArray[Any] | None = None
        fingerprint = Fingerprint(shares, in_blocks=True)
        for block, part in self._parts():
            if block.y is not None:
                fingerprint.add(block.X, block.y)
            for number in range(3):
                sizes[number] += int((part == number).sum())
            kept.append(some_rows(block, part == 1))
            if labels and block.y is not None:
                known = [] if classes is None else [classes]
                classes = np.unique(np.concatenate([*known, block.y]))
        self.sizes, self.fingerprint = (sizes[0], sizes[1], sizes[2]), str(fingerprint)
        self._classes = classes
        self.n_classes = None if classes is None else at_least_two(classes)
        self.classes_are_integers = classes is not None and classes.dtype.kind in "iu"
        if not sizes[0]:
            raise CommandError(NO_TRAINING_ROWS)
        self._X_val = np.concatenate([block.X for block in kept])
        self._y_val = np.concatenate([block.y for block in kept if block.y is not None])

    def _parts(self) -> Iterator[tuple[TableRows, NDArray[np.intp]]]:
        """Yield each block, with the part of each row: 0, 1 or 2."""
        random, done = np.random.default_rng(self._shares.seed), 0
        for block in self._data:
            n_rows = len(block.X)
            numbers, done = np.arange(done, done + n_rows) + 1, done + n_rows
            # One draw per row: the split does not depend on where blocks begin.
            yield block._replace(numbers=numbers), self._shares.draw(random, n_rows)

    def _part(self, number: int) -> Iterator[TableRows]:
        for block, part in self._parts():
            rows = some_rows(block, part == number)
            if len(rows.X):
                yield rows

    def fit(self, model: Any) -> None:
        some = len(self._X_val) > 0
        # A rare class may have a validation row but no training row.
        options = {} if self._classes is None else {"classes": self._classes}
        model.fit_blocks(
            _Blocks(lambda: ((block.X, block.y) for block in self._part(0))),
            X_val=self._X_val if some else None,
            y_val=self._y_val if some else None,
            **options,
        )

    def held_out(self) -> Iterator[TableRows]:
        return self._part(2) if self._shares.test > 0 else iter(())


class _Blocks:
    """Blocks that can be iterated over repeatedly."""

    def __init__(self, blocks: Callable[[], Iterator[tuple[Any, Any]]]) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self._blocks()


def some_rows(block: TableRows, which: NDArray[np.bool_]) -> TableRows:
    """Return some rows of a block of arrays."""
    y, numbers = (None if x is None else x[which] for x in (block.y, block.numbers))
    return TableRows(block.X[which], y, numbers)


def at_least_two(classes: NDArray[Any]) -> int:
    """Return the number of classes; raise if there is only one."""
    if len(classes) < 2:
        raise CommandError(f"the target must have at least 2 classes, got only {str(classes[0])!r}")
    return len(classes)


def _advice(y: NDArray[Any], n_classes: int) -> str:
    """Advise those whose target has many integers, which may be meant as numbers."""
    many = n_classes > MANY_CLASSES and y.dtype.kind in "iu"
    return ", and --regression predicts numbers" if many else ""


def _count_classes(y: NDArray[Any], shares: Shares) -> int:
    """Return the number of classes; raise if one has too few rows for the split."""
    classes, counts = np.unique(y, return_counts=True)
    at_least_two(classes)
    rarest = int(np.argmin(counts))
    parts = {"--validation-fraction": shares.validation, "--test-size": shares.test}
    options = [f"{option} 0" for option, share in parts.items() if share > 0]
    if counts[rarest] < 1 + len(options):
        omit = "omits" if len(options) == 1 else "omit"
        raise CommandError(
            f"class {str(classes[rarest])!r} has {plural(counts[rarest], 'row')}, too few to "
            f"split into {1 + len(options)} parts of the rows; {' and '.join(options)} {omit} a "
            f"part{_advice(y, len(classes))}"
        )
    return len(classes)
