"""
What the first layer looks at
=============================

The weights between the pixels of a digit and a hidden unit are an image themselves: red where
ink speaks for the unit, blue where ink speaks against it. With a strong penalty only what is
needed is left: strokes, and the holes beside them.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dnncore import DNNClassifier
from dnncore.display import WeightsDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The same network twice, with hardly any penalty and with a strong one. The features are
# standardised by the network; a weight is for a pixel in units of its own deviation.

options = dict(hidden_layer_sizes=(25,), activation="tanh", max_iter=400, random_state=0)
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for alpha, ax in zip((1e-4, 10.0), axes, strict=True):
    model = DNNClassifier(alpha=alpha, **options).fit(X_train, y_train)
    WeightsDisplay.from_estimator(model, ax=ax)
    accuracy = model.score(X_test, y_test)
    ax.set_title(f"alpha = {alpha:g}, held-out accuracy {accuracy:.3f}", fontsize=11)
plt.show()
