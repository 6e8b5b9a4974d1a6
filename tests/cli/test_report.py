"""What the report of a command says about rows and scores, as the terminal does."""

import re

import numpy as np
import pytest
from commands import NETWORK, QUICK, write_csv
from pages import Page

import dnncore

N = 300
RANDOM = np.random.default_rng(0)
A = RANDOM.normal(size=N)
# Labels by chance, and some that a model is sure of and wrong about.
LABELS = np.where((A > 0) ^ (np.arange(N) % 17 == 0), "u", "v")


def write():
    write_csv("data.csv", ["number", "a", "y"], zip(range(1, N + 1), A, LABELS, strict=True))


def read(path):
    with open(path, encoding="utf-8") as file:
        return Page(file.read())


def cases(page):
    return [row for row in page.rows if len(row) == 8 and row[0] != "row"]


@pytest.mark.parametrize("options", [NETWORK, [*NETWORK, "--blocks"], ["--members", 2]])
def test_rows_are_those_of_the_file(dnncore_command, options):
    write()
    train = ["train", "data.csv", "--target", "y", *QUICK, *options, "--report", "a.html"]
    _, out, _ = dnncore_command(*train)
    page = read("a.html")
    held_out = set()
    for row in cases(page):
        number = int(row[0])
        held_out.add(number)
        assert row[2] == LABELS[number - 1]
    assert len(held_out) == 20
    log_loss = float(re.search(r"log-loss ([\d.]+)", out)[1])
    shown = float(re.search(r"Log-loss([\d.]+)", "".join(page.text))[1])
    assert shown == pytest.approx(log_loss, abs=6e-5)
    assert "Filedata.csv" in page
    assert "Targety" in page
    assert "Row numbersof the file, from 1" in page
    text = "".join(page.text)
    assert re.search(r"Rows of the file300: \d+ training, \d+ validation, \d+ held-out", text)
    assert re.search(r"Date\d{4}-\d\d-\d\d \d\d:\d\d", text)
    # In an evaluation, all rows count.
    dnncore_command("evaluate", "model.safetensors", "data.csv", "--report", "a.html")
    for row in cases(read("a.html")):
        assert row[2] == LABELS[int(row[0]) - 1]


def test_the_log_loss_is_clipped_in_the_same_way(dnncore_command):
    write()
    train = ["train", "data.csv", "--target", "y", *QUICK, *NETWORK, "--ignore", "number"]
    dnncore_command(*train)
    model = dnncore.load("model.safetensors")
    model.network_.coefs_[-1][...] *= 1e4  # sure of everything
    model.save("sure")
    _, out, _ = dnncore_command("evaluate", "sure", "data.csv", "--target", "y", "--report", "r")
    log_loss = float(re.search(r"log-loss ([\d.]+)", out)[1])
    assert log_loss > 0.5
    shown = float(re.search(r"Log-loss([\d.]+)", "".join(read("r").text))[1])
    assert shown == pytest.approx(log_loss, rel=1e-3)
