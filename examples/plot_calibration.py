"""
Probabilities for another world
===============================

Rare classes are often made frequent for training: all rows of the rare class are kept, and as
many of the others. The network then believes what it was told, that every second row is of the
rare class. Its probabilities are too high in the field, and
:meth:`~dnncore.DNNClassifier.set_priors` puts them right, without training anew.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from dnncore import DNNClassifier

# %%
# One row in ten is of the rare class, whose rows lie a little aside from the others, and
# closer together.

rng = np.random.default_rng(0)
y = (rng.uniform(size=40_000) < 0.1).astype(int)
X = rng.normal(size=(y.size, 5))
X[y == 1] = 0.8 * X[y == 1] + 0.8
X_train, X_field, y_train, y_field = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Training rows: as many of class 0 as there are of class 1.

rare = np.flatnonzero(y_train == 1)
others = rng.choice(np.flatnonzero(y_train == 0), rare.size, replace=False)
rows = np.concatenate([rare, others])
model = DNNClassifier(early_stopping=True, scoring="neg_log_loss", random_state=0)
model.fit(X_train[rows], y_train[rows])
print("shares in training", model.class_prior_.round(2))
print("and in the field  ", (np.bincount(y_field) / y_field.size).round(2))

# %%
# The reliability curve compares what was predicted with what came true.

figure, ax = plt.subplots(figsize=(5.6, 5), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfectly calibrated")


def draw(label, colour, marker):
    p = model.predict_proba(X_field)[:, 1]
    true, predicted = calibration_curve(y_field, p, n_bins=10)
    loss = log_loss(y_field, p)
    ax.plot(predicted, true, f"{marker}-", color=colour, label=f"{label}: log-loss {loss:.3f}")


draw("as trained", "#d55e00", "o")
model.set_priors([0.9, 0.1])
draw("after set_priors([0.9, 0.1])", "#0072b2", "s")
ax.set(xlabel="predicted probability of the rare class", ylabel="share of the rare class")
ax.legend(frameon=False, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
