"""What the tests of the command line have in common."""

import csv
import io
import subprocess
import sys

from sklearn.datasets import load_iris

IRIS = load_iris()
SPECIES = IRIS.target_names[IRIS.target]
FEATURES = ["sepal length", "sepal width", "petal length", "petal width"]
QUICK = ["--epochs", "3", "--no-plot"]
NETWORK = ["--model", "network"]


def write_csv(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def write_iris(path="iris.csv", target=SPECIES):
    rows = [[*x, label] for x, label in zip(IRIS.data.tolist(), target, strict=True)]
    write_csv(path, [*FEATURES, "species"], rows)


def read_csv(text):
    header, *rows = csv.reader(io.StringIO(text))
    return header, rows


def python_m_dnncore(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "dnncore", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip
