"""Draw docs/architecture.svg from the contract in pyproject.toml. Run it after changing that.

python docs/architecture.py
"""

from __future__ import annotations

import pathlib
import re
import tomllib
from html import escape

DOCS = pathlib.Path(__file__).parent
PICTURE = DOCS / "architecture.svg"

# import-linter does not see compiled modules; they are drawn on the levels of other modules.
COMPILED = {
    "reference": ("kernels", "predictor", "stepper", "reference"),
    "_training": ("_training", "table_predictor"),
}
ABOUT = {
    "cli": "the command line: one file per command, tables",
    "report": "one HTML page about a model",
    "display": "plots of training, weights and layers",
    "gradient_check": "gradcheck: gradients against central differences",
    "convert": "ONNX, C, PyTorch, scikit-learn",
    "modelfile": "save and load: safetensors",
    "dask": "DaskDNNClassifier, DaskDNNRegressor",
    "classifier": "DNNClassifier",
    "regressor": "DNNRegressor",
    "tabular": "TabularClassifier, TabularRegressor, TableEncoder",
    "river": "NetworkClassifier, NetworkRegressor",
    "_river": "rows from dicts, networks that grow",
    "_estimators": "shared by both: validation, targets, parameters, fit, scoring",
    "training": "public names of the trainer",
    "blocks": "NPY and Parquet files for fit_blocks",
    "checkpoints": "files to complete a killed fit from",
    "_training": "trainer, epochs, solvers, schedules, history",
    "_data": "NPY, Parquet, CSV; tables, columns and their encoding; blocks of rows",
    "_gradient_check": "central differences and their errors",
    "ensemble": "networks whose outputs are averaged",
    "network": "Network: one parameter vector, forward, loss, gradients",
    "_network": "forward and backward pass, layer by layer; its trace and formulas",
    "kernels": "forward and backward kernels",
    "predictor": "a frozen network for scoring",
    "table_predictor": "a frozen model of tables for scoring",
    "stepper": "steps of a trainer for Cython",
    "reference": "the kernels in plain NumPy",
    "_core": "engine, layers, threads, checks, names",
    "_html": "networks drawn as SVG",
    "csrc": "plain C11: vector mathematics and matrix products for each instruction set",
}
PUBLIC, INTERNAL = "#dcebf7", "#f1f1ee"
WIDTH, FLOOR, GAP, MARGIN = 860, 46, 8, 16


def floors() -> list[tuple[str, ...]]:
    """Return the modules of each level, from top to bottom."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [tuple(re.split(r" [|:] ", floor)) for floor in layers if floor != "__main__"]
    return [*(COMPILED.get(floor[0], floor) for floor in rooms), ("csrc",)]


def box(room: str, x: float, y: float, width: float) -> str:
    """Return a box with the name and the purpose of a module."""
    about = escape(ABOUT[room])
    colour = INTERNAL if room.startswith("_") or room == "csrc" else PUBLIC
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{FLOOR}" rx="5" fill="{colour}" '
        f'stroke="#8a8f98"/><text x="{x + 12:g}" y="{y + 19:g}" font-weight="bold">{room}</text>'
        f'<text x="{x + 12:g}" y="{y + 36:g}" font-size="12" fill="#444">{about}</text>'
    )


def picture() -> str:
    """Return the architecture as SVG."""
    parts, y = [], MARGIN + 26
    for rooms in floors():
        width = (WIDTH - 2 * MARGIN - GAP * (len(rooms) - 1)) / len(rooms)
        for i, room in enumerate(rooms):
            x = MARGIN + i * (width + GAP)
            parts.append(box(room, x, y, width))
        y += FLOOR + GAP
    height = y + MARGIN - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="The modules of dnncore, level by level" '
        f'font-family="sans-serif" font-size="14" fill="#1c1e21">'
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>'
        f'<text x="{MARGIN}" y="{MARGIN + 10}" font-size="12" fill="#444">'
        "Modules import only from lower levels; save, load and from_sklearn also import upwards, "
        "when they are called. Public modules are blue.</text>" + "".join(parts) + "</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(picture())
