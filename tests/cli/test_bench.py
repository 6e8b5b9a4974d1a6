"""`dnncore bench`."""

import json
import re

import pytest

from dnncore import Network
from dnncore._core.names import OUTPUTS
from dnncore.cli._timing import _flop_per_row, measure


def test_figures_as_json(dnncore_command):
    status, out, err = dnncore_command(
        "bench", "--layers", 6, 5, 3, "--batch-size", 8, "--seconds", 0.1, "--json"
    )
    assert (status, err) == (0, "")
    figures = json.loads(out)
    assert figures["network"]["layer_sizes"] == [6, 5, 3]
    assert figures["machine"]["versions"]["dnncore"]
    (one,) = figures["threads"]  # more do not pay with so little work
    assert one["threads"] == 1
    step = one["training_step_us"]
    assert 0 < step["lowest"] <= step["median"] <= step["highest"]
    assert one["training_rows_per_second"] == pytest.approx(8e6 / step["median"])
    flop = 8 * (6 * (6 * 5 + 5 * 3) - 2 * 6 * 5)
    share = flop / (1e3 * step["median"]) / one["gemm_gflops"]
    assert one["gemm_share"] == pytest.approx(share)
    assert 0 < figures["one_row_us"]["p50"] <= figures["one_row_us"]["p99"]


def test_a_network_that_occupies_two_threads(monkeypatch):
    monkeypatch.setattr("dnncore._core.threads.available_cpus", lambda: 2)
    network = Network((400, 300, 10), dtype="float32", seed=0)
    speeds = measure(network, 128, 0.01)
    assert list(speeds.by_threads) == [1, 2]
    assert _flop_per_row(network) == 6 * 300 * 410 - 2 * 400 * 300


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_shape_of_a_model(dnncore_command, output):
    Network((6, 5, 3), output=output, activation="tanh").save("model")
    status, out, err = dnncore_command("bench", "model", "--seconds", 0.05)
    assert (status, err) == (0, "")
    for line in (
        rf"network    6-5-3, tanh, {output}, float64",
        r"machine    .*, processors available: \d+",
        r" +1 thread",
        r"training step of 128 rows, us +[\d.,]+ \([\d.,]+ to [\d.,]+\)",
        r"  share of GEMM rate +\d+%",
        r"scoring, rows per second +[\d,]+",
        r"one row, us +p50 [\d.]+, p99 [\d.]+",
    ):
        assert re.search(f"^{line}$", out, re.M), line


def test_mistakes(fails):
    Network((6, 3)).save("model")
    assert "--layers cannot be used with MODEL" in fails("bench", "model", "--layers", 3)
    assert "must be at least 2 sizes, got 1" in fails("bench", "--layers", 3)
    assert "missing: No such file" in fails("bench", "missing")
