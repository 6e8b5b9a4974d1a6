"""``dnncore export``: a model in a form that other software runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .._columns import feature_names
from ._arguments import CommandError, check_destination
from ._model import load_model
from ._output import OK, one_line

FORMATS = {".onnx": "onnx", ".c": "c", ".pt": "torch", ".pth": "torch"}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        usage="dnncore export MODEL FILE [--format {onnx,c,torch}]",
        help="write a model for ONNX, C or PyTorch",
        description="Write a model in a form that other software runs: an ONNX model, a C file "
        "that needs no library, or a PyTorch module. Input are the features as numbers: where the "
        "model has categories, a 1 in the place of the row's category, and 0 elsewhere.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument("file", metavar="FILE", help="file to write")
    parser.add_argument(
        "--format",
        choices=("onnx", "c", "torch"),
        help="default: by the ending of FILE, .onnx, .c, or .pt",
    )


def run(arguments: argparse.Namespace) -> int:
    ending = Path(arguments.file).suffix.lower()
    kind = arguments.format or FORMATS.get(ending)
    if kind is None:
        raise CommandError(
            f"FILE must end in {', '.join(FORMATS)}, or --format be given, got {arguments.file!r}"
        )
    check_destination("FILE", arguments.file, [arguments.model])
    model = load_model(arguments.model)
    try:
        _write(model.saved, arguments.file, kind)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise CommandError(f"{arguments.model}: {error}") from error
    names = feature_names(model.table or ())
    if model.table is not None and any(column.values for column in model.table):
        listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        print(
            f"Its {len(names)} inputs are, a category having one for each value: "
            f"{one_line(listed)}",
            file=sys.stderr,
        )
    print(f"Model written to {arguments.file}")
    return OK


def _write(model: Any, path: str, kind: str) -> None:
    from .. import convert

    if kind == "onnx":
        convert.to_onnx(model, path)
    elif kind == "c":
        convert.to_c(model, path)
    else:
        convert.to_torch(model, path)
