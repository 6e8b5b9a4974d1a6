"""
Hidden units and the decision boundary
======================================

A network without hidden layers is a logistic regression, whose decision boundary is a straight
line. Every hidden unit adds another line at which the boundary can bend. Two bends take three
units. With many more units, the boundary can bend around individual points.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from dnncore import DNNClassifier

X, y = make_moons(400, noise=0.2, random_state=0)
X_test, y_test = make_moons(2000, noise=0.2, random_state=1)

# %%
# L-BFGS, which uses all rows at once, is a good solver for small data sets. Networks with only a
# few units easily get stuck in a local minimum. Those are trained from eight random
# initialisations, and the one with the lowest loss is kept.


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
# Plot the probability of the second class, and the decision boundary, where it is one half.

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
