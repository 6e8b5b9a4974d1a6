"""CSV and Parquet files."""

import gzip
import io
import os
import re
import sys

import numpy as np
import pytest
from commands import NETWORK, QUICK, write_csv

import dnncore
from dnncore import cli


def labels_and_names(dnncore_command, text, *options, name="data.csv"):
    """Train on a CSV file; return the classes and the feature names of the model."""
    data = text.encode() if isinstance(text, str) else text
    with open(name, "wb") as file:
        file.write(data)
    status, _, err = dnncore_command(
        "train", name, "--target", "y", *QUICK, "--quiet",
        "--test-size", 0, "--validation-fraction", 0, *options,
    )  # fmt: skip
    assert (status, err) == (0, "")
    model = dnncore.load("model.safetensors")
    return model.classes_.tolist(), model.feature_names_in_.tolist(), model


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["1", "0"], [0, 1]),
        (["1.0", "-2.0"], [-2, 1]),
        (["b", "a"], ["a", "b"]),
        (["b", "1"], ["1", "b"]),
        (["true", "false"], ["false", "true"]),
        (["2024-01-02", "2024-01-01"], ["2024-01-01", "2024-01-02"]),
        (["ü", "日本"], ["ü", "日本"]),
        (['"a,b"', '"x\ny"'], ["a,b", "x\ny"]),
    ],
)
def test_labels(dnncore_command, values, classes):
    text = f"x,y\n1,{values[0]}\n2,{values[1]}\n"
    assert labels_and_names(dnncore_command, text)[0] == classes


def test_forms_of_csv(dnncore_command):
    rows = "1,2,u\n3,5,v\n"
    plain = labels_and_names(dnncore_command, f"a,b,y\n{rows}")[2].network_
    assert plain.moments_.mean.tolist() == [2.0, 3.5]
    for text in (
        "\ufeffa,b,y\n" + rows,
        "a,b,y\r\n" + rows.replace("\n", "\r\n"),
        "a,b,y\n\n1, 2,u\n\n3, 5.0,v",
        '"a","b","y"\n"1","2","u"\n"3","5","v"\n',
    ):
        classes, names, model = labels_and_names(dnncore_command, text)
        assert (classes, names) == (["u", "v"], ["a", "b"])
        np.testing.assert_array_equal(model.network_.parameters, plain.parameters)
    compressed = gzip.compress(f"a,b,y\n{rows}".encode())
    names = labels_and_names(dnncore_command, compressed, name="data.csv.gz")[1]
    assert names == ["a", "b"]


TABLES = {
    "text.csv": (
        "a,b,y\n1,2,0\n3,four,1\n",
        "column 'b' must be numeric, got 'four' on line 3; --categorical 'b' treats every value",
    ),
    "lines.csv": (
        'y,a\n\n"u\n\nv",1\nw, oops \n',
        "column 'a' must be numeric, got 'oops' on line 6",
    ),
    "date.csv": (
        "a,y\n2024-01-01,1\n",
        "column 'a' contains dates, such as '2024-01-01'; ",
    ),
    "prose.csv": (
        "a,y\n" + "".join(f"word {i},1\n" for i in range(257)),
        "column 'a' has 257 different values, such as 'word ",
    ),
    "bytes.csv": (
        b"a,y\n" + 20_000 * b"1,0\n" + b"\xff,1\n",
        "bytes.csv: its text is not utf-8; --encoding names another encoding",
    ),
    "one_missing.csv": (
        "a,b,y\n1,2,0\n3,,1\n",
        "column 'b' has missing values, the first on line 3",
    ),
    "missing.csv": (
        "a,b,y\n1,NA,0\nnan,nan,1\n",
        "column 'a' has missing values, the first on line 3; also missing values in 'b'",
    ),
    "all_missing.csv": ("a,y\n,1\n,2\n", "column 'a' has missing values, the first on line 2"),
    "no_label.csv": ("a,y\n1,u\n2,\n3,\n", "'y' has missing values, the first on line 3"),
    "infinite.csv": ("a,y\n1,0\ninf,1\n", "must contain finite float32 numbers, got inf on line 3"),
    "large.csv": (
        "a,y\n1,0\n1e99,1\n",
        "must contain finite float32 numbers, got 1e+99 on line 3; --dtype float64 has room for it",
    ),
    "float.csv": (
        "a,y\n1,0.5\n2,1\n",
        "must contain classes (integers or strings), got the number",
    ),
    "huge.csv": (
        "a,y\n1,1e300\n2,1\n",
        "must contain classes (integers or strings), got the number",
    ),
    "one_class.csv": ("a,y\n1,u\n2,u\n", "the target must have at least 2 classes, got only 'u'"),
    "rare.csv": ("a,y\n" + 9 * "1,u\n" + "2,v\n", "class 'v' has 1 row, too few to split"),
    "few.csv": ("a,y\n" + 4 * "1,u\n1,v\n", "8 rows cannot be split"),
    "no_target.csv": ("a,b\n1,2\n", "no column 'y'; the file has 'a', 'b'"),
    "no_features.csv": ("y\n1\n2\n", "no feature columns besides the target 'y'"),
    "twice.csv": ("a,a,y\n1,2,3\n", "2 columns are named 'a'"),
    "two_targets.csv": ("a,y,y\n1,2,3\n", "2 columns are named 'y'"),
    "ragged.csv": ("a,y\n1,2\n3\n", "expected 2 columns, got 1 on line 3"),
    "header.csv": ("a,y\n", "no rows below the header"),
    "empty.csv": ("", "not a usable CSV file: Empty CSV file"),
    "line_break.csv": (
        '"a\nb",y\nx,1\n2,1\n',
        r"column 'a\nb' must be numeric, got 'x' on line 3",
    ),
    "escape.csv": ("a,y\n1,\x1b[31m\n1,\x1b[31m\n", r"got only '\x1b[31m'"),
}


@pytest.mark.parametrize("name", TABLES)
def test_csv_files_that_do_not_do(fails, tmp_path, name):
    content, message = TABLES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in fails("train", name, "--target", "y", *NETWORK)
    assert os.listdir(tmp_path) == [name]


def test_class_names_with_control_characters(dnncore_command):
    write_csv(
        "data.csv", "ay", [[i, "\x1b[31m[bold]:smile:\x07" if i % 2 else "\nb"] for i in range(40)]
    )
    status, out, err = dnncore_command("train", "data.csv", "--target", "y", *QUICK)
    assert status == 0
    assert r"\x1b[31m[bold]:smile:\x07" in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out + err)


def test_class_names_that_the_output_cannot_encode(monkeypatch):
    write_csv("data.csv", "ay", [[i, "ü" if i % 2 else "日"] for i in range(40)])
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert cli.main(["train", "data.csv", "--target", "y", *QUICK]) == 0
    text = output.buffer.getvalue()
    assert rb"\xfc" in text
    assert rb"\u65e5" in text
