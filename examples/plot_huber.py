"""
Regression with outliers
========================

The gradient of the squared error is proportional to the residual, so a few outliers can distort the
whole fit. The Huber loss is linear for residuals larger than `huber_delta`, measured in standard
deviations of the target. A distant outlier then has no more influence than a moderate one.
"""

import matplotlib.pyplot as plt
import numpy as np

from dnncore import DNNRegressor

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(0, 10, 300))
truth = np.sin(x) + 0.3 * x
y = truth + rng.normal(0, 0.15, x.size)
outliers = rng.choice(x.size, 30, replace=False)
y[outliers] += rng.uniform(4, 8, outliers.size)
X = x[:, np.newaxis]

# %%
# Compare the two losses, with all other parameters equal.

options = dict(
    hidden_layer_sizes=(30, 30), activation="tanh", learning_rate_init=0.01, batch_size=50,
    max_iter=1000, n_iter_no_change=50, random_state=0,
)  # fmt: skip
models = {
    "squared error": DNNRegressor("squared_error", **options).fit(X, y),
    "Huber loss, delta 0.1": DNNRegressor("huber", huber_delta=0.1, **options).fit(X, y),
}

figure, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
ax.scatter(x, y, s=10, color="0.7", linewidths=0, label="training rows")
ax.plot(x, truth, color="black", linewidth=1, linestyle="--", label="true function")
for (name, model), colour in zip(models.items(), ("#d55e00", "#0072b2"), strict=True):
    error = np.sqrt(np.mean((model.predict(X) - truth) ** 2))
    ax.plot(x, model.predict(X), color=colour, label=f"{name}: RMSE {error:.2f}")
ax.set(xlabel="x", ylabel="y")
ax.set_title("Outliers pull the fit of the squared error upwards", fontsize=11)
ax.legend(frameon=False, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
