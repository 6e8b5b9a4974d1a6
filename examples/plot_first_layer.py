"""
What the first layer looks at
=============================

The weights between the pixels of a digit and a hidden unit are an image themselves: red where
ink speaks for the unit, blue where ink speaks against it. With a strong penalty only what is
needed is left: strokes, and the holes beside them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dnncore import DNNClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The same network twice, with hardly any penalty and with a strong one. The features are
# standardised by the network; a weight is for a pixel in units of its own deviation.

models = {
    alpha: DNNClassifier((24,), activation="tanh", alpha=alpha, max_iter=400, random_state=0).fit(
        X_train, y_train
    )
    for alpha in (1e-4, 10.0)
}

figure = plt.figure(figsize=(9, 7.4), layout="constrained")
for part, (alpha, model) in zip(figure.subfigures(2, 1), models.items(), strict=True):
    weights = model.coefs_[0]
    size = np.quantile(np.abs(weights), 0.995)
    accuracy = model.score(X_test, y_test)
    part.suptitle(f"alpha = {alpha:g}, held-out accuracy {accuracy:.3f}", fontsize=11)
    for unit, ax in enumerate(part.subplots(3, 8).flat):
        ax.imshow(weights[:, unit].reshape(8, 8), cmap="RdBu_r", vmin=-size, vmax=size)
        ax.set_xticks([]), ax.set_yticks([])
plt.show()
