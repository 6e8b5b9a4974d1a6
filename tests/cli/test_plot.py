"""The learning curve that training draws."""

import pytest
from matplotlib import pyplot as plt

from dnncore.cli._plot import learning_curve


@pytest.mark.parametrize(
    ("losses", "scores"), [([0.0], None), ([2.0, 1e-30], [0.1, 1.0]), ([1.0], [1.0])]
)
def test_learning_curve_of_the_command_line(losses, scores):
    image = learning_curve(losses, scores, title="日本 $x_1^", subtitle="%$", best_is_kept=True)
    assert image.startswith(b"\x89PNG")
    assert plt.get_fignums() == []
