"""
Learning-rate schedules
=======================

This example trains the same network with four learning-rate schedules. All start from a learning
rate of 0.05, which is rather high for this network. :class:`dnncore.training.SGD` documents the
schedules. A callback records the learning rates.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from dnncore import DNNClassifier

X, y = make_classification(
    8000, n_features=20, n_informative=12, n_classes=4, flip_y=0.1, random_state=0
)
X_train, X_val, y_train, y_val = train_test_split(X, y, stratify=y, random_state=0)

# %%
# 'constant' and 'invscaling' do not converge before `max_iter`. This is intended here, so the
# warning is ignored.

warnings.simplefilter("ignore", ConvergenceWarning)
histories, rates = {}, {}
for schedule in ("constant", "invscaling", "adaptive", "newbob"):
    rate = rates[schedule] = []
    model = DNNClassifier(
        (50,), solver="sgd", learning_rate=schedule, learning_rate_init=0.05, power_t=0.2,
        batch_size=32, max_iter=40, n_iter_no_change=4, random_state=0,
        callback=lambda info, rate=rate: rate.append(info.learning_rate),
    )  # fmt: skip
    model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    histories[schedule] = model.history_

# %%
# 'newbob' monitors the validation loss. After every epoch without improvement, it returns to the
# best parameters, so its last point belongs to an epoch that was undone. 'adaptive' monitors the
# training loss, which is still decreasing: it behaves like 'constant', and both overfit.

colours = ("#000000", "#0072b2", "#d55e00", "#009e73")
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for colour, (schedule, history) in zip(colours, histories.items(), strict=True):
    epochs = range(1, history.n_iter + 1)
    style = dict(color=colour, linestyle="--" if schedule == "adaptive" else "-")
    left.plot(epochs, history.validation_losses, label=schedule, **style)
    right.step(epochs, rates[schedule], where="post", **style)
    lowest = min(history.validation_losses)
    print(f"{schedule:10} {history.n_iter:2} epochs, lowest validation loss {lowest:.3f}")
left.set(xlabel="epoch", ylabel="validation loss", ylim=(0.6, 0.9))
right.set(xlabel="epoch", ylabel="learning rate after the epoch", yscale="log")
left.set_title("Validation loss of four schedules", fontsize=11)
right.set_title("Their learning rates", fontsize=11)
left.legend(frameon=False)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
