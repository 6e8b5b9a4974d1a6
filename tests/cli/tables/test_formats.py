"""Tables from the world: CSV files of other dialects and encodings, numbers with units."""

import os
import re
import sys

import numpy as np
import pytest
from commands import NETWORK, QUICK, read_csv

import dnncore

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(1000, 2000, (2, 200)).round(1)
LABELS = np.where(A > B, "größer", "kleiner")
TRAIN = ["--target", "y", *NETWORK, *QUICK, "--dtype", "float64"]


def point(x):
    return str(x)


def write(path, delimiter=",", encoding="utf-8", number=point):
    rows = [(number(a), number(b), y) for a, b, y in zip(A, B, LABELS, strict=True)]
    lines = [delimiter.join(row) for row in [("a", "b", "y"), *rows]]
    with open(path, "w", encoding=encoding, newline="") as file:
        file.write("\n".join(lines) + "\n")
    return path


def german(x):
    return f"{x:,.1f}".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("form", "notes"),
    [
        ({"delimiter": ";"}, "delimiter ';'"),
        ({"delimiter": "\t"}, r"delimiter '\t'"),
        ({"delimiter": "|"}, "delimiter '|'"),
        ({"encoding": "cp1252"}, "encoding 'cp1252'"),
        ({"encoding": "utf-16"}, "encoding 'utf-16'"),
        ({"encoding": "utf-8-sig"}, None),
        ({"delimiter": ";", "number": german}, "delimiter ';', decimal ',', thousands '.'"),
        ({"delimiter": ";", "number": lambda x: str(x).replace(".", ",")},
         "delimiter ';', decimal ','"),
        ({"number": lambda x: f'"{x:,.1f}"'}, "thousands ','"),
        ({"number": lambda x: f'"${x:,.1f}"'.replace("$-", "-$")}, "thousands ','"),
        ({"number": lambda x: f"{x}%"}, None),
        ({"number": lambda x: f"{x} €"}, None),
    ],
)  # fmt: skip
def test_it_makes_no_difference(dnncore_command, form, notes):
    write("plain.csv")
    assert dnncore_command("train", "plain.csv", *TRAIN, "--output", "plain")[0] == 0
    write("other.csv", **form)
    status, _, err = dnncore_command("train", "other.csv", *TRAIN, "--output", "other")
    assert status == 0
    found = re.findall("^dnncore: note: other.csv: read as CSV with (.*)$", err, re.M)
    assert found == ([] if notes is None else [notes])
    plain, other = (dnncore.load(name).network_.parameters for name in ("plain", "other"))
    np.testing.assert_array_equal(other, plain)
    # A model takes files of any format.
    expected = dnncore_command("predict", "plain", "plain.csv")[1]
    for data in ("plain.csv", "other.csv"):
        assert dnncore_command("predict", "other", data)[:2] == (0, expected)
    evaluated = dnncore_command("evaluate", "plain", "plain.csv", "--json")[1]
    assert dnncore_command("evaluate", "plain", "other.csv", "--json")[1] == evaluated


def test_options_where_it_is_in_doubt(dnncore_command, fails):
    with open("data.csv", "w", encoding="utf-8") as file:
        file.write("a;y\n" + "1,234;u\n2,345;v\n" * 20)
    message = fails("train", "data.csv", *TRAIN, "--delimiter", ",")
    assert message.endswith("expected 1 columns, got 2 on line 2")
    means = {}
    for options in (["--decimal", ","], ["--thousands", ","]):
        assert dnncore_command("train", "data.csv", *TRAIN, *options)[0] == 0
        means[options[0]] = dnncore.load("model.safetensors").network_.mean_[0]
    assert 1 < means["--decimal"] < 3
    assert means["--thousands"] == pytest.approx(1000 * means["--decimal"])
    assert "must differ, got ','" in fails(
        "train", "data.csv", "--decimal", ",", "--thousands", ","
    )
    assert "must be one character, tab or space, got 'ab'" in fails("train", "--delimiter", "ab")
    assert "must be the name of an encoding" in fails("train", "--encoding", "klingon")
    write("data.csv", "\t")
    assert dnncore_command("train", "data.csv", *TRAIN, "--delimiter", "tab")[0] == 0


def test_units_are_no_numbers_of_a_label(dnncore_command):
    with open("data.csv", "w", encoding="utf-8") as file:
        file.write("a,y\n" + "1,5%\n2,10%\n" * 20)
    assert dnncore_command("train", "data.csv", *TRAIN)[0] == 0
    assert dnncore.load("model.safetensors").classes_.tolist() == ["10%", "5%"]
    assert dnncore_command("train", "data.csv", *TRAIN[:-2], "--regression")[0] == 0
    assert read_csv(dnncore_command("predict", "model.safetensors", "data.csv")[1])[0] == [
        "prediction"
    ]


@pytest.mark.parametrize(
    ("cells", "found"),
    [(["30%", "0.3"], "0.3"), (["30%", "$5"], "$5"), (["30%", "n/a!"], "n/a!"), (["x", "30%"], "x"),
     (["3", "30%"], "30%"), (["1.2.3%", "1%"], "1.2.3%")],
)  # fmt: skip
def test_units_are_not_mixed(fails, cells, found):
    with open("data.csv", "w", encoding="utf-8") as file:
        rows = zip(cells * 9, "uv" * 9, strict=True)
        file.write("a,y\n" + "".join(f"{cell},{y}\n" for cell, y in rows))
    for kind in (NETWORK, ["--model", "tabular"]):
        message = fails("train", "data.csv", "--target", "y", *kind)
        line = 2 + cells.index(found)
        assert f"column 'a' must be numeric, got {found!r} on line {line}; --categ" in message


def test_a_long_cell_makes_no_long_message(fails):
    with open("data.csv", "w", encoding="utf-8") as file:
        file.write("a,y\n1,u\n2,v\n" + "x" * 48_000 + ",u\n")
    message = fails("train", "data.csv", *TRAIN)
    assert "column 'a' must be numeric, got 'xxx" in message
    assert "on line 4; --categorical 'a' treats every value as a category" in message
    assert len(message) < 700


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not text")
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "npz", "npy"])
def test_names_that_are_not_utf_8(dnncore_command, suffix):
    import gzip

    import pyarrow as pa
    from pyarrow import parquet

    name = os.fsdecode(b"d\xff." + suffix.encode())
    if suffix == "parquet":
        parquet.write_table(pa.table({"a": A, "b": B, "y": LABELS}), "x.parquet")
        os.rename("x.parquet", name)
    elif suffix.startswith("csv"):
        with open(write("x.csv"), "rb") as file, open(name, "wb") as other:
            text = file.read()
            other.write(gzip.compress(text) if suffix.endswith("gz") else text)
    elif suffix == "npz":
        with open(name, "wb") as file:
            np.savez(file, X=np.c_[A, B], y=LABELS)
    else:
        with open(name, "wb") as file:
            np.save(file, np.c_[A, B])
        np.save("y.npy", LABELS)
    target = {"npz": [], "npy": ["--target", "y.npy"]}.get(suffix, ["--target", "y"])
    options = [*target, "--epochs", 1, "--quiet", *NETWORK]
    out = ["--output", os.fsdecode(b"m\xff"), "--report", os.fsdecode(b"r\xff.html")]
    assert dnncore_command("train", name, *options, *out)[0] == 0
    assert dnncore_command("predict", os.fsdecode(b"m\xff"), name)[0] == 0
    assert dnncore_command("info", os.fsdecode(b"m\xff"))[0] == 0
