"""
Back-propagation, quantity by quantity
======================================

This example plots every quantity computed in one training step for one handwritten digit: the
forward pass from left to right, the backward pass from right to left.

The derivative of the loss with respect to a quantity has the same shape as that quantity. It is
blue where an increase would lower the loss, and red where an increase would raise it. (At the
input, it is largest for pixels that hardly ever contain any ink, because the standardisation
divides by a small standard deviation there.) :doc:`/explanation/derivation` derives the formulas.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from dnncore import Network

# %%
# The network has one hidden layer of 16 units and has not been trained yet. The input is a single
# image, a zero. The input standardisation is computed from all rows.

X, y = load_digits(return_X_y=True)
network = Network((64, 16, 10), seed=0)
network.update_norm(X)

row, label = X[:1], y[:1]
trace = network.trace(row, label)
print(f"loss {trace.loss:.3f}, probability of the true class {trace.p[0, label[0]]:.3f}")

# %%
# A trace has every quantity by its name in the derivation. In a notebook, it looks like this; point
# at an element to see its value:

trace  # noqa: B018

# %%
# Pixels and hidden units are drawn as small images, classes as a row.


def draw(ax, values, shape, title, colours="RdBu_r"):
    values = values.reshape(shape)
    size = np.abs(values).max()
    low = -size if colours == "RdBu_r" else 0
    ax.imshow(values, cmap=colours, vmin=low, vmax=size)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([]), ax.set_yticks([])


figure, axes = plt.subplots(2, 5, figsize=(11, 4.2), layout="constrained")
draw(axes[0, 0], row, (8, 8), "input x", "gray_r")
draw(axes[0, 1], trace.a_0, (8, 8), "$a_0$: standardised")
draw(axes[0, 2], trace.z_1, (4, 4), "$z_1 = a_0 W_1 + b_1$")
draw(axes[0, 3], trace.a_1, (4, 4), "$a_1$ = sigmoid($z_1$)", "gray_r")
draw(axes[0, 4], trace.p, (1, 10), "$p$ = softmax($a_1 W_2 + b_2$)", "gray_r")

draw(axes[1, 0], trace.dx, (8, 8), "$dx = da_0$ / scale")
draw(axes[1, 1], trace.da_0, (8, 8), "$da_0 = dz_1 W_1^T$")
draw(axes[1, 2], trace.dz_1, (4, 4), "$dz_1 = da_1\\,a_1 (1 - a_1)$")
draw(axes[1, 3], trace.da_1, (4, 4), "$da_1 = dz_2 W_2^T$")
draw(axes[1, 4], trace.dz_2, (1, 10), "$dz_2 = p - L$")
figure.suptitle("Forward pass, left to right; derivatives of the loss, right to left", fontsize=11)

# %%
# The gradient of the first weight matrix is :math:`a_0^T dz_1`: for each hidden unit, the input
# multiplied by the delta of that unit. All sixteen images are therefore equal up to a factor: a
# single sample teaches every hidden unit the same thing.

figure, axes = plt.subplots(2, 8, figsize=(11, 3), layout="constrained")
size = np.abs(trace.dW_1).max()
for unit, ax in enumerate(axes.flat):
    image = trace.dW_1[:, unit].reshape(8, 8)
    ax.imshow(image, cmap="RdBu_r", vmin=-size, vmax=size)
    ax.set_xticks([]), ax.set_yticks([])
figure.suptitle("$dW_1 = a_0^T dz_1$, one column per hidden unit", fontsize=11)

# %%
# A step in the direction of the negative gradient lowers the loss:

network.parameters[...] -= 0.5 * network.gradients(row, label).flat
print(f"loss after one step {network.loss(row, label):.3f}")
plt.show()
