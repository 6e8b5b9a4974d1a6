"""
A stream with drift
===================

Rows come one at a time. A model predicts each of them first, and then learns from it, so that every
row is a test. Half-way, the classes change their places. :mod:`dnncore.river` has networks that
learn in this way; here is one beside two models of river: softmax regression, and a Hoeffding tree
that replaces branches when they become inaccurate.
"""

import time
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
from river import linear_model, preprocessing, tree
from river.datasets import synth

from dnncore.river import NetworkClassifier

N_ROWS, WINDOW = 12_000, 500


def stream():
    """Yield rows of ten features and four classes, each of several Gaussian clusters."""
    for seed in (1, 2):
        clusters = synth.RandomRBF(seed, seed, n_classes=4, n_features=10, n_centroids=40)
        yield from islice(clusters, N_ROWS // 2)


# %%
# The network standardises its features itself. Softmax regression needs a scaler before it.

models = {
    "dnncore.river": NetworkClassifier((100,), seed=0),
    "river, softmax regression": preprocessing.StandardScaler() | linear_model.SoftmaxRegression(),
    "river, adaptive Hoeffding tree": tree.HoeffdingAdaptiveTreeClassifier(seed=0),
}

# %%
# Each model predicts and learns every row.

rows = list(stream())
figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
for (name, model), colour in zip(models.items(), ("#0072b2", "#e69f00", "#009e73"), strict=True):
    correct = np.empty(N_ROWS)
    start = time.perf_counter()
    for i, (x, y) in enumerate(rows):
        correct[i] = model.predict_one(x) == y
        model.learn_one(x, y)
    microseconds = (time.perf_counter() - start) / N_ROWS * 1e6
    print(f"{name:31} accuracy {correct.mean():.3f}, {microseconds:4.0f} us per row")
    accuracy = np.convolve(correct, np.ones(WINDOW) / WINDOW, "valid")
    ax.plot(np.arange(WINDOW, N_ROWS + 1), accuracy, color=colour, label=name)
ax.axvline(N_ROWS // 2, color="0.6", linewidth=1, linestyle=":")
ax.set(xlabel="rows", ylabel=f"accuracy of the last {WINDOW} rows", ylim=(0, 1))
ax.set_title("The classes change their places half-way", fontsize=11)
ax.legend(frameon=False, loc="lower right")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
