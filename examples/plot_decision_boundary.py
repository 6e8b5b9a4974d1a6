"""
A boundary, unit by unit
========================

A network without a hidden layer is logistic regression, and divides the plane by a line. Every
hidden unit adds a line of its own, beside which the boundary may bend. Two bends need three of
them; many more can bend around single points.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from dnncore import DNNClassifier

X, y = make_moons(400, noise=0.2, random_state=0)
X_test, y_test = make_moons(2000, noise=0.2, random_state=1)

# %%
# L-BFGS, which takes all rows at once, is a good solver for data as small as this. A network
# of a few units is easily stuck beside the best solution, so those are started from eight
# different weights, and the one of the lowest loss is kept.


def best_of(starts, **options):
    models = [DNNClassifier(random_state=seed, **options).fit(X, y) for seed in range(starts)]
    return min(models, key=lambda model: model.loss_)


widths = (0, 1, 2, 3, 10, 100)
options = dict(activation="tanh", solver="lbfgs", alpha=0.03, tol=1e-3, max_iter=1000)
models = [
    best_of(8 if width < 10 else 1, hidden_layer_sizes=(width,) if width else (), **options)
    for width in widths
]

# %%
# The probability of the second class, and where it is one half.

x1, x2 = np.meshgrid(np.linspace(-1.7, 2.7, 300), np.linspace(-1.2, 1.7, 200))
grid = np.column_stack([x1.ravel(), x2.ravel()])
figure, axes = plt.subplots(2, 3, figsize=(10, 5.4), layout="constrained", sharex=True, sharey=True)
for width, model, ax in zip(widths, models, axes.flat, strict=True):
    probability = model.predict_proba(grid)[:, 1].reshape(x1.shape)
    ax.contourf(x1, x2, probability, levels=np.linspace(0, 1, 21), cmap="PuOr", alpha=0.6)
    ax.contour(x1, x2, probability, levels=[0.5], colors="black", linewidths=1.5)
    ax.scatter(*X[y == 0].T, s=9, color="#7f3b08", marker="o", linewidths=0)
    ax.scatter(*X[y == 1].T, s=12, color="#2d004b", marker="^", linewidths=0)
    units = {0: "no hidden layer", 1: "1 unit"}.get(width, f"{width} units")
    ax.set_title(f"{units}: accuracy {model.score(X_test, y_test):.3f}", fontsize=10)
    ax.set_xticks([]), ax.set_yticks([])
plt.show()
