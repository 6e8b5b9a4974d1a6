"""``dnncore export``: a model in a format for other software."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .._data.atomic import write_atomically
from .._data.columns import feature_names
from ._arguments import CommandError, check_destination
from ._model import load_model
from ._output import OK, one_line

FORMATS = {".onnx": "onnx", ".c": "c", ".pt": "torch", ".pt2": "torch-export"}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        usage="dnncore export MODEL FILE [--format FORMAT]",
        help="export a model to ONNX, C or PyTorch",
        description="Export a model for use by other software: an ONNX file, a C file that needs "
        "only the standard mathematics library, a PyTorch module (torch.load also needs dnncore), "
        "or a torch.export program, which needs only PyTorch. The exported model takes numeric "
        "features: a column of categories must be one-hot encoded.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument("file", metavar="FILE", help="file to write")
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS.values()),
        help="format (default: according to the suffix of FILE: .onnx, .c, .pt or .pt2)",
    )


def run(arguments: argparse.Namespace) -> int:
    ending = Path(arguments.file).suffix.lower()
    kind = arguments.format or FORMATS.get(ending)
    if kind is None:
        raise CommandError(
            f"FILE must end in one of {', '.join(FORMATS)} unless --format is given, got "
            f"{arguments.file!r}"
        )
    check_destination("FILE", arguments.file, [arguments.model])
    model = load_model(arguments.model)
    try:
        _write(model.saved, arguments.file, kind)
    except (TypeError, ValueError) as error:
        raise CommandError(f"{arguments.model}: {error}") from error
    names = feature_names(model.table or ())
    if model.table is not None and any(column.values for column in model.table):
        listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        print(
            f"The model has {len(names)} inputs, with one-hot encoded categories: "
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
        write_atomically(path, _torch_file(model, kind))


def _torch_file(model: Any, kind: str) -> bytes:
    from ..convert import to_torch
    from ..convert._description import describe

    module, file = to_torch(model), io.BytesIO()
    import torch  # after to_torch, whose error tells how to install it

    if kind == "torch":
        torch.save(module, file)
    else:
        description = describe(model)
        rows = torch.from_numpy(np.zeros((2, description.n_features), description.dtype))
        any_number = ({0: torch.export.Dim("rows")},)
        torch.export.save(torch.export.export(module, (rows,), dynamic_shapes=any_number), file)
    return file.getvalue()
