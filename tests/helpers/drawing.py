"""Rows for the displays, axes, and what is drawn in them."""

from matplotlib.figure import Figure
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)
X, y = X[:400], y[:400]


def drawn(ax, label):
    """The points of the line of that label."""
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line.get_xdata(), line.get_ydata()


def axes(n):
    return Figure().subplots(n)
