"""
Vanishing gradients
===================

This network has six hidden layers of 30 units. With the logistic activation, each layer multiplies
the gradient by a derivative of at most 1/4. Hardly any gradient reaches the first layers, and the
network starts to learn late. With ReLU, the derivative is 0 or 1.
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
# In the untrained network with logistic activation, the activations hardly vary, and the gradients
# shrink by orders of magnitude towards the input.


def untrained(activation):
    network = Network((64, 30, 30, 30, 30, 30, 30, 10), activation=activation, seed=0)
    network.update_norm(X_train)
    return network


LayerStatisticsDisplay.from_estimator(untrained("logistic"), X_train, y_train)

# %%
# With ReLU, the gradients of the weights have a similar magnitude in all layers.

LayerStatisticsDisplay.from_estimator(untrained("relu"), X_train, y_train)

# %%
# As a result, the ReLU network learns, while the logistic network has hardly begun to learn after
# forty epochs:

warnings.simplefilter("ignore", ConvergenceWarning)
for activation in ("logistic", "relu"):
    model = DNNClassifier((30,) * 6, activation, max_iter=40, random_state=0)
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    print(f"{activation:8} accuracy {model.score(X_val, y_val):.3f}")

figure = TrainingCurveDisplay.from_estimator(model).figure_
figure.suptitle("The network with ReLU learns", fontsize=11)
plt.show()
