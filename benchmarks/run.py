"""Run all benchmarks, and write results/NAME.json with a Markdown page and a chart.

NAME describes the machine; --output selects a different file. A complete run takes about an hour.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from _harness import (
    HERE,
    describe_machine,
    option_parser,
    options_of,
    warn_if_busy,
    write_json,
)
from _report import SECTIONS, write
from contenders import SCORERS, TRAINERS


def default_path(machine: dict[str, Any]) -> Path:
    words = re.findall("[a-z0-9]+", machine["processor"].lower())
    return HERE / "results" / f"{'-'.join(words)}-{machine['available_cpus']}-cpus.json"


def main() -> None:
    parser = option_parser(__doc__, dict.fromkeys([*TRAINERS, *SCORERS]))
    parser.add_argument("--output", type=Path, help="the JSON file (default: results/NAME.json)")
    parser.add_argument(
        "--sections",
        nargs="+",
        choices=SECTIONS,
        default=list(SECTIONS),
        help="sections to run; the file keeps its other sections",
    )
    parser.add_argument(
        "--redraw", type=Path, metavar="JSON", help="only recreate the page and chart of this file"
    )
    arguments = parser.parse_args()
    if arguments.redraw:
        write(json.loads(arguments.redraw.read_text()), arguments.redraw)
        return

    options = options_of(arguments)
    warn_if_busy()
    machine = describe_machine()
    path = arguments.output or default_path(machine)
    results: dict[str, Any] = {}
    if path.exists() and len(arguments.sections) < len(SECTIONS):
        results = json.loads(path.read_text())  # keep the other sections
    results |= {"machine": machine, "quick": options.quick}
    for section in arguments.sections:
        module, title = SECTIONS[section]
        print(f"\n===== {title}")
        results[section] = module.measure(options)
        write_json(path, results)  # after every section, so that a failure loses only that section
    print(f"\nwritten: {path}")
    # From the stored file, as with --redraw.
    write(json.loads(path.read_text()), path)


if __name__ == "__main__":
    main()
