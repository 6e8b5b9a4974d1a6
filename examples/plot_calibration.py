"""
Recalibration after undersampling
=================================

For imbalanced classes, the training data are often balanced by undersampling: all rows of the rare
class are kept, and an equal number from the other class. The network then assumes that half of all
rows belong to the rare class, so the probabilities it predicts in deployment are too high.
:meth:`~dnncore.DNNClassifier.set_priors` corrects them without retraining.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from dnncore import DNNClassifier

# %%
# One row in ten belongs to the rare class. Its distribution is shifted, and a little narrower.

rng = np.random.default_rng(0)
y = (rng.uniform(size=40_000) < 0.1).astype(int)
X = rng.normal(size=(y.size, 5))
X[y == 1] = 0.8 * X[y == 1] + 0.8
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Train on an equal number of rows from each class.

rare = np.flatnonzero(y_train == 1)
others = rng.choice(np.flatnonzero(y_train == 0), rare.size, replace=False)
rows = np.concatenate([rare, others])
model = DNNClassifier(early_stopping=True, scoring="neg_log_loss", random_state=0)
model.fit(X_train[rows], y_train[rows])
print("class frequencies in training  ", model.class_prior_.round(2))
print("class frequencies in deployment", (np.bincount(y_test) / y_test.size).round(2))

# %%
# The reliability curve compares the predicted probabilities with the observed frequencies.

figure, ax = plt.subplots(figsize=(5.6, 5), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfectly calibrated")


def draw(label, colour, marker):
    p = model.predict_proba(X_test)[:, 1]
    true, predicted = calibration_curve(y_test, p, n_bins=10)
    loss = log_loss(y_test, p)
    ax.plot(predicted, true, f"{marker}-", color=colour, label=f"{label}: log-loss {loss:.3f}")


draw("as trained", "#d55e00", "o")
model.set_priors([0.9, 0.1])
draw("after set_priors([0.9, 0.1])", "#0072b2", "s")
ax.set(xlabel="predicted probability of the rare class", ylabel="fraction of the rare class")
ax.set_title("Correcting the priors calibrates the probabilities", fontsize=11)
ax.legend(frameon=False, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
