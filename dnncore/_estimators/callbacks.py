"""Calls after each epoch: the user's callback, the progress bar, scikit-learn's callbacks.

scikit-learn's callbacks require version 1.9; with older versions, they are not available.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any, TypeVar

from .._training.history import EpochInfo
from .progress import progress_bar
from .rows import LabelledRows

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # an older scikit-learn

    class CallbackSupport:
        """Estimators have no `set_callbacks`."""

    with_callbacks = None
else:
    CallbackSupport = CallbackSupportMixin  # type: ignore[misc]

Function = TypeVar("Function", bound=Callable[..., Any])


def fit_with_callbacks(fit: Function) -> Function:
    """Decorate a fit method so that its callbacks are torn down when it ends."""
    return fit if with_callbacks is None else with_callbacks(fit)


@contextmanager
def epoch_calls(
    estimator: Any, rows: LabelledRows | None
) -> Iterator[Callable[[EpochInfo], bool] | None]:
    """Give the function to call after each epoch, or None; the callbacks end with the context.

    `rows` are the training rows, if they are in memory.
    """
    with ExitStack() as stack:
        calls: list[Callable[[EpochInfo], object]] = []
        if estimator.callback is not None:
            calls.append(estimator.callback)
        if estimator.verbose:
            bar = progress_bar(type(estimator).__name__, estimator.max_iter)
            calls.append(stack.enter_context(bar))
        data = (rows.given, rows.y, rows.sample_weight) if rows else (None, None, None)
        hooks = EpochHooks.of(estimator, *data)
        if hooks is not None:
            calls.append(stack.enter_context(hooks))
        # All of them are called, even if one asks to stop.
        yield (lambda info: any([bool(call(info)) for call in calls])) if calls else None


class EpochHooks:
    """Runs the callbacks of an estimator for each epoch, which is a subtask of the fit.

    An instance is a context manager around all epochs. Called after each epoch, it returns whether
    a callback asks to stop.
    """

    @classmethod
    def of(cls, estimator: Any, X: Any, y: Any, sample_weight: Any) -> EpochHooks | None:
        """Return the hooks, or None (at no cost) if the estimator has no callbacks."""
        if with_callbacks is None:
            return None
        if not (hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")):
            return None
        return cls(estimator, X, y, sample_weight)

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        self._estimator = estimator
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        self._epoch: Any = None

    def __enter__(self) -> EpochHooks:
        self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)
        self._begin_epoch()
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            if self._epoch is not None:  # begun, but not run
                self._epoch.call_on_fit_task_end(estimator=self._estimator)
            self._context.call_on_fit_task_end(
                estimator=self._estimator, **self._data, reconstruction_attributes=self._fitted()
            )

    def __call__(self, info: EpochInfo) -> bool:
        stop = self._epoch.call_on_fit_task_end(
            estimator=self._estimator, **self._data, reconstruction_attributes=self._fitted()
        )
        self._epoch = None
        if info.epoch < info.max_iter and not stop:
            self._begin_epoch()
        return bool(stop)

    def _begin_epoch(self) -> None:
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def _fitted(self) -> dict[str, Any]:
        """Return the attributes that a copy of the estimator needs to predict as it does now."""
        return {name: deepcopy(getattr(self._estimator, name)) for name in ("network_", "history_")}
