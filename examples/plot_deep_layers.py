"""
Where gradients fade
====================

Six hidden layers of 30 units. With the logistic function each of them multiplies what flows back
by a slope of a quarter at most, so that the first layers hear hardly anything of the loss, and
the network learns late. With relu the slope is 0 or 1.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from dnncore import DNNClassifier, Network
from dnncore.display import LayerStatisticsDisplay, TrainingCurveDisplay

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The logistic network before any training. The activations hardly spread from layer to layer, and
# the gradients shrink towards the input by orders of magnitude.


def untrained(activation):
    network = Network((64, 30, 30, 30, 30, 30, 30, 10), activation=activation, seed=0)
    network.update_norm(X_train)
    return network


LayerStatisticsDisplay.from_estimator(untrained("logistic"), X_train, y_train)

# %%
# With relu the gradients of the weights are of one size in all layers.

LayerStatisticsDisplay.from_estimator(untrained("relu"), X_train, y_train)

# %%
# And so one of them learns, and the other has hardly begun after forty epochs:

warnings.simplefilter("ignore", ConvergenceWarning)
for activation in ("logistic", "relu"):
    model = DNNClassifier((30,) * 6, activation, max_iter=40, random_state=0)
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    print(f"{activation:8} accuracy {model.score(X_val, y_val):.3f}")

TrainingCurveDisplay.from_estimator(model)
plt.show()
