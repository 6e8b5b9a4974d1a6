"""Tables through the command line: trained, scored, predicted, or refused in one line.

CSV files of all dialects and with bytes changed, NPY, NPZ and Parquet files; cells and options that
are wrong, huge, or not numbers.
"""

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from _search import search

from dnncore import cli

FOLDER = Path(tempfile.mkdtemp(prefix="dnncore-fuzz-"))
CELLS = [
    "", " ", "0", "1", "-1", "2.5", "1e3", "1e308", "1e999", "-1e-320", "nan", "NaN", "inf",
    "NA", "-", "null", "1,5", "1.234,5", "1,234.5", "$5", "50%", "5 €", "0x10", "1_000", "007",
    "true", "False", "2024-01-31", "31.01.2024", "2024-13-01", "12:30", "2024-01-31T12:30:00Z",
    "1700000000", "red", "größer", '"', '""', "a\"b", "=1+1", "\0", "\r", "\n", "\t", ";", "|",
    "a" * 3000, "9" * 400, "😀", "16777217", "9007199254740993", "18446744073709551616",
    "-9223372036854775809", "1e-400", "+3",
]  # fmt: skip
NAMES = ["a", "b", "c", "y", "", "a", "prediction", " y", "größe", "x" * 300, "1", "-", "\t", '"']
ENCODINGS = ["utf-8", "utf-8", "utf-8-sig", "latin-1", "utf-16", "cp1252"]
TYPES = [
    pa.string(), pa.float64(), pa.int32(), pa.dictionary(pa.int8(), pa.string()), pa.bool_(),
    pa.date32(), pa.duration("s"), pa.binary(), pa.timestamp("ms"),
]  # fmt: skip
QUICK = ["--epochs", "1", "--no-plot", "--quiet"]
OPTIONS: list[list[str]] = [
    [], ["--regression"], ["--model", "network"], ["--model", "tabular"], ["--missing", "mean"],
    ["--missing", "indicator"], ["--blocks"], ["--dtype", "float64"], ["--target", "y"],
    ["--target", "a"], ["--target", "no"], ["--ignore", "a"], ["--categorical", "b"],
    ["--delimiter", ";"], ["--decimal", ","], ["--thousands", ","], ["--encoding", "latin-1"],
    ["--encoding", "none"], ["--test-size", "0"], ["--test-size", "0.9"], ["--batch-size", "1"],
    ["--validation-fraction", "0"], ["--regression", "--loss", "poisson"],
    ["--regression", "--loss", "quantile"], ["--seed", "7"],
    ["--report", "report.html"], ["--learning-rate", "1e5"], ["--hidden", "3"], ["--hidden"],
    ["--memory", "0.01"], ["--max-grad-norm", "1"], ["--members", "2"], ["--activation", "tanh"],
]  # fmt: skip


def pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def n_rows(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 20) if rng.random() < 0.1 else rng.integers(20, 80))


def column(rng: np.random.Generator, n: int, name: str = "") -> list[str]:
    """Cells of one kind, of which some are of any other; in y mostly classes."""
    kind = pick(rng, [1, 1, 2, 2, 0]) if name == "y" else pick(rng, [0, 0, 1, 1, 2, 2, 3, 4, 5])
    if kind == 0:
        cells = [f"{x:.3f}" for x in rng.normal(size=n)]
    elif kind == 1:
        cells = [str(x) for x in rng.integers(0, 5, n)]
    elif kind == 2:
        cells = [pick(rng, ["red", "green", "blue"]) for _ in range(n)]
    elif kind == 3:
        cells = [repr(float(x)) for x in rng.normal(size=n) * 10.0 ** rng.integers(-300, 300, n)]
    elif kind == 4:
        cells = [f"20{rng.integers(10, 30)}-0{rng.integers(1, 10)}-11" for _ in range(n)]
    else:
        cells = [pick(rng, CELLS)] * n
    share = pick(rng, [0, 0, 0, 0, 0.01, 0.3])
    return [pick(rng, CELLS) if rng.random() < share else cell for cell in cells]


def csv_bytes(rng: np.random.Generator) -> bytes:
    n, m = n_rows(rng), int(rng.integers(2, 7))
    names = ["a", "b", "c", "d", "e", "f"][:m]
    if rng.random() < 0.1:
        names[rng.integers(m)] = pick(rng, NAMES)
    if rng.random() < 0.95:
        names[-1] = "y"
    delimiter = pick(rng, [",", ",", ";", "\t", "|"])
    quote = rng.random() < 0.9

    def cell(text: str) -> str:
        special = any(c in text for c in f'"\r\n{delimiter}')
        return '"' + text.replace('"', '""') + '"' if quote and special else text

    rows = [names, *zip(*(column(rng, n, name) for name in names), strict=True)]
    if rows[1:] and rng.random() < 0.03:
        i = int(rng.integers(len(rows)))
        rows[i] = [*rows[i], "more"] if rng.random() < 0.5 else rows[i][:-1]
    end = pick(rng, ["\n", "\n", "\r\n", "\r"])
    text = end.join(delimiter.join(map(cell, row)) for row in rows) + pick(rng, [end, ""])
    data = text.encode(pick(rng, ENCODINGS), errors="replace")
    return changed(rng, data) if rng.random() < 0.1 else data


def changed(rng: np.random.Generator, data: bytes) -> bytes:
    content = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        start = int(rng.integers(0, len(content) + 1))
        content[start : start + int(rng.integers(0, 6))] = rng.bytes(int(rng.integers(0, 6)))
    return bytes(content)


def array(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    x = rng.normal(size=shape) * 10.0 ** pick(rng, [0, 0, 3, 30, 300])
    dtype = pick(rng, ["f8", "f4", ">f8", "f2", "i8", "u1", "?", "U3", "c16", "M8[s]", "O", "S2"])
    if dtype == "O":
        cells = [pick(rng, [1, "a", None, 2.5, b"x"]) for _ in range(x.size)]
        return np.array(cells, object).reshape(shape)
    with np.errstate(all="ignore"):
        x = x.astype("i8").astype(dtype) if dtype == "M8[s]" else x.astype(dtype)
    return np.asfortranarray(x) if rng.random() < 0.2 else x


def npy_bytes(rng: np.random.Generator, npz: bool) -> bytes:
    n, m, file = n_rows(rng), int(rng.integers(1, 5)), io.BytesIO()
    X = array(rng, pick(rng, [(n,), (), (n, m, 2)]) if rng.random() < 0.1 else (n, m))
    y = rng.integers(0, 3, n)
    if rng.random() < 0.5:
        y = pick(rng, [rng.normal(size=n), array(rng, (n,)), array(rng, (n, 2))])
    if not npz:
        np.save(file, X)
    else:
        arrays = {"X": X, "y": y, pick(rng, ["X", "y", "z"]): pick(rng, [X, y])}
        (np.savez_compressed if rng.random() < 0.5 else np.savez)(file, **arrays)
    data = file.getvalue()
    return changed(rng, data) if rng.random() < 0.2 else data


def parquet_bytes(rng: np.random.Generator) -> bytes:
    n, columns = n_rows(rng), {}
    for name in ["a", "b", "y"]:
        cells = column(rng, n, name)
        try:
            columns[name] = pa.array(cells).cast(pick(rng, TYPES))
        except pa.ArrowException:
            columns[name] = pick(
                rng,
                [pa.array(cells), pa.array(rng.normal(size=n)), pa.nulls(n),
                 pa.array([[1.0]] * n, pa.list_(pa.float64())), pa.array([{"k": 1}] * n)],
            )  # fmt: skip
    file = io.BytesIO()
    try:
        pyarrow.parquet.write_table(pa.table(columns), file)
    except pa.ArrowException:
        return b"PAR1"
    data = file.getvalue()
    return changed(rng, data) if rng.random() < 0.15 else data


def loaded(data: bytes) -> np.ndarray | None:
    with contextlib.suppress(Exception):
        return np.load(io.BytesIO(data), allow_pickle=True)
    return None


def run(*arguments: str) -> tuple[int, str]:
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(list(arguments))
        except SystemExit as end:
            status = end.code
    return status, err.getvalue()


def check(*arguments: str) -> bool:
    """Run a command; return whether it succeeded. It fails in one line."""
    status, err = run(*arguments)
    assert status in (0, 1, 2), (status, arguments, err)
    if status:
        lines = [line for line in err.splitlines() if "error: " in line]
        assert len(lines) == 1 and err.endswith(lines[0] + "\n"), (arguments, err)
        assert len(lines[0]) < 1000, (arguments, lines[0])
    return status == 0


def train_and_use(file: str, *options: str) -> bool:
    """Train a model; if that succeeds, evaluate it and predict with it. Return whether it does."""
    if not check("train", file, *QUICK, *options):
        return False
    for command in ("evaluate", "predict"):
        check(command, "model.safetensors", file)
    return True


def try_one(rng: np.random.Generator) -> str:
    os.chdir(FOLDER)
    Path("model.safetensors").unlink(missing_ok=True)
    suffix = pick(rng, ["csv", "csv", "csv", "tsv", "npy", "npz", "parquet"])
    data = (
        parquet_bytes(rng) if suffix == "parquet"
        else npy_bytes(rng, suffix == "npz") if suffix.startswith("np")
        else csv_bytes(rng)
    )  # fmt: skip
    file = f"data.{suffix}"
    Path(file).write_bytes(data)
    options = [word for _ in range(pick(rng, [0, 0, 1, 1, 2])) for word in pick(rng, OPTIONS)]
    if suffix == "npy":
        n = len(X) if (X := loaded(data)) is not None and X.ndim else n_rows(rng)
        np.save("y.npy", rng.integers(0, 3, n))
        options += ["--target", "y.npy"]
    elif suffix != "npz" and rng.random() < 0.95:
        options += ["--target", "y"]
    if not train_and_use(file, *options):
        return f"{suffix} refused"
    Path(file).write_bytes(changed(rng, data))
    check("predict", "model.safetensors", file)
    return f"{suffix} trained"


if __name__ == "__main__":
    search(try_one)
