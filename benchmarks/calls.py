"""Microseconds of single calls of estimators, compared with scikit-learn's and with the C step.

The network is 64-100-10 in float32, on one thread. The C step is that of an epoch of many
mini-batches by Trainer.run_epoch: what a call costs beyond it is not arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import (
    Options,
    absences,
    markdown_table,
    microseconds,
    parse,
    summary,
    take_turns,
    warn_if_busy,
    write_json,
)
from _worker import resolve

N_FEATURES, N_HIDDEN, N_CLASSES = 64, 100, 10
BATCH_SIZE = 200  # of the estimators, by default
MIN_SECONDS = 0.2  # of a turn

# What is called, and how each contender calls it. A maker returns the call; the C steps also return
# the number of steps of a call.
CALLS: dict[str, dict[str, str]] = {
    "partial_fit, 1 row": {
        "C step": "calls:c_step(1)",
        "DNNClassifier": "calls:partial_fit(dnncore, Classifier, 1)",
        "MLPClassifier": "calls:partial_fit(sklearn, Classifier, 1)",
        "DNNRegressor": "calls:partial_fit(dnncore, Regressor, 1)",
        "MLPRegressor": "calls:partial_fit(sklearn, Regressor, 1)",
    },
}
