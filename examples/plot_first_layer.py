"""
First-layer weights as images
=============================

The weights between the pixels of a digit and a hidden unit can be displayed as an image: red where
ink activates the unit, blue where ink inhibits it. A strong L2 penalty leaves only what is needed:
strokes, and the gaps next to them.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dnncore import DNNClassifier
from dnncore.display import WeightsDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Train the same network with a negligible and with a strong penalty. Since the network standardises
# its features, a weight applies to a pixel in units of that pixel's standard deviation.

options = dict(hidden_layer_sizes=(25,), activation="tanh", max_iter=400, random_state=0)
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for alpha, ax in zip((1e-4, 10.0), axes, strict=True):
    model = DNNClassifier(alpha=alpha, **options).fit(X_train, y_train)
    WeightsDisplay.from_estimator(model, ax=ax)
    accuracy = model.score(X_test, y_test)
    ax.set_title(f"alpha = {alpha:g}, held-out accuracy {accuracy:.3f}", fontsize=11)
plt.show()
