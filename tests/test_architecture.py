"""Compiled modules import downwards only, as the contracts in pyproject.toml have it.

import-linter reads Python files; this reads the Cython ones, by the same floors.
"""

import pathlib
import re
import runpy
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
FLOORS = [re.split(r" [|:] ", floor) for floor in CONTRACTS["contracts"][0]["layers"]]
HEIGHT = {room: len(FLOORS) - i for i, floor in enumerate(FLOORS) for room in floor}
# Compiled modules stand between the network, which uses them, and the ground floor; that of
# tables stands above the data that it encodes.
HEIGHT |= dict.fromkeys(("predictor", "kernels", "stepper"), HEIGHT["reference"])
HEIGHT |= {"table_predictor": HEIGHT["_training"]}
DOORS = {("predictor", "modelfile")}  # load and save, imported when they are called
IMPORT = re.compile(r"^\s*(?:from (\.*)([\w.]*) )?c?import (\([^)]*\)|.*)", re.MULTILINE)
SOURCES = sorted(
    path for pattern in ("*.pyx", "*.pxd") for path in (ROOT / "dnncore").rglob(pattern)
)


def room_of(path: pathlib.Path) -> str:
    return path.relative_to(ROOT / "dnncore").parts[0].partition(".")[0]


def imported_rooms(folder: tuple[str, ...], text: str) -> set[str]:
    """Return the rooms that a module imports; "dnncore" stands for the package itself.

    `folder` is the path of its folder, from "dnncore" on.
    """
    found = set()
    for dots, module, names in IMPORT.findall(re.sub("#.*", "", text)):
        start = folder[: len(folder) - len(dots) + 1] if dots else ()
        for name in filter(str.strip, names.strip("()").split(",")):  # "a" or "a as b"
            parts = [*start, *filter(None, module.split(".")), *name.split()[0].split(".")]
            if parts[0] == "dnncore":
                found.add(next(filter(None, parts[1:]), "dnncore"))
    return found


def rooms_imported_by(path: pathlib.Path) -> set[str]:
    return imported_rooms(path.relative_to(ROOT).parts[:-1], path.read_text())


def test_every_module_has_a_floor():
    rooms = {room_of(path) for path in (ROOT / "dnncore").rglob("*.py*")}
    assert rooms - {"__init__", "__pycache__", "_version", "py"} == set(HEIGHT)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_cython_imports_run_downwards(path):
    room = room_of(path)
    imported = rooms_imported_by(path) - {room, "_version"}
    upwards = {other for other in imported if HEIGHT.get(other, len(HEIGHT)) >= HEIGHT[room]}
    assert not {(room, other) for other in upwards} - DOORS


def test_imports_are_found():
    found = {room for path in SOURCES for room in rooms_imported_by(path)}
    assert {"_core", "modelfile"} <= found


@pytest.mark.parametrize(
    ("text", "rooms"),
    [
        ("from .rows cimport InputRows", {"_core"}),
        ("from . cimport rows", {"_core"}),
        ("    from ..network import Network  # on call", {"network"}),
        ("from .. cimport kernels, predictor", {"kernels", "predictor"}),
        ("from .. import (\n    training as t,\n    blocks,\n)", {"training", "blocks"}),
        ("cimport dnncore.kernels as k", {"kernels"}),
        ("from dnncore.training import Adam", {"training"}),
        ("from dnncore cimport kernels", {"kernels"}),
        ("import os, dnncore", {"dnncore"}),
        ("import numpy as np\nfrom libc.stdint cimport uint32_t", set()),
    ],
)
def test_forms_of_imports(text, rooms):
    assert imported_rooms(("dnncore", "_core"), text) == rooms


def test_the_picture_is_that_of_the_contracts():
    """``python docs/architecture.py`` draws it anew."""
    drawn = runpy.run_path(str(ROOT / "docs" / "architecture.py"))["picture"]()
    assert (ROOT / "docs" / "architecture.svg").read_text() == drawn
    assert all(f">{room}</text>" in drawn for room in set(HEIGHT) - {"__main__"})
