"""The names of activations, outputs and losses, and their numbers in the C layer."""

import itertools

import pytest

from dnncore._core import engine, names


@pytest.mark.parametrize(
    ("listed", "codes"),
    [
        (names.ACTIVATIONS, engine.ACTIVATION_CODES),
        (names.OUTPUTS, engine.OUTPUT_CODES),
        (tuple(itertools.chain(*names.LOSSES.values())), engine.LOSS_CODES),
    ],
)
def test_each_name_has_one_code(listed, codes):
    assert sorted(listed) == sorted(codes)
    assert len(set(codes.values())) == len(codes)


def test_each_output_has_losses():
    assert tuple(names.LOSSES) == names.OUTPUTS
    for output, losses in names.LOSSES.items():
        assert names.check_loss(None, output) == losses[0]
        for loss in losses:
            assert names.check_loss(loss, output) == loss
    with pytest.raises(ValueError, match="loss must be one of"):
        names.check_loss("huber", "softmax")
