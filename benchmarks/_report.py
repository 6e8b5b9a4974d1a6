"""Write the results of run.py as a Markdown page and charts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import accuracy
import calls
import footprint
import grow
import score
import train
from _harness import count
from contenders import SCORERS, TRAINERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECTIONS = {
    "train": (train, "Training"),
    "score": (score, "Scoring"),
    "calls": (calls, "Calls"),
    "grow": (grow, "Scaling"),
    "footprint": (footprint, "Footprint"),
    "accuracy": (accuracy, "Accuracy"),
}


def write(results: dict[str, Any], path: Path) -> None:
    """Write the page next to the JSON file at `path`, and the charts if matplotlib is installed."""
    page = path.with_suffix(".md")
    page.write_text(markdown(results, path.stem))
    print(f"written: {page}")
    try:
        chart(results, path.with_suffix(".png"))
        growth_chart(results, path.with_name(f"{path.stem}-growth.png"))
    except ModuleNotFoundError as error:
        print(f"no chart: {error}")


def markdown(results: dict[str, Any], name: str) -> str:
    machine = results["machine"]
    config = machine["dnncore"]["cpu"]
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items())
    parts = [
        f"# Benchmarks on {machine['processor']}, {count(machine['available_cpus'], 'processor')}",
        f"{machine['time']}; {machine['memory_gb']:.0f} GB; {machine['system']}; Python "
        f"{machine['python']}; {versions}. dnncore uses {config['selected']} (of "
        f"{', '.join(config['instruction_sets'])}). Load average before the run: "
        f"{machine['load_average']:.2f}.",
    ]
    if results["quick"]:
        parts.append("**This was a smoke test (`--quick`): its times are unreliable.**")
    if "train" in results or "score" in results:
        parts.append(f"![Time relative to dnncore, and share of the GEMM rate]({name}.png)")
    for section, (module, title) in SECTIONS.items():
        if section in results:
            parts.append(f"## {title}")
            if section == "grow":
                parts.append(f"![Time per epoch for each sweep]({name}-growth.png)")
            parts.append(module.markdown(results[section]))
    return "\n\n".join(parts) + "\n"


def chart(results: dict[str, Any], path: Path) -> None:
    """Plot the time relative to dnncore, and for training the share of the GEMM rate."""
    from matplotlib.figure import Figure

    panels = []
    rows = results.get("train", {}).get("rows", [])
    for threads in dict.fromkeys(row["threads"] for row in rows):
        some = [row for row in rows if row["threads"] == threads]
        panels.append(
            (f"training step, {count(threads, 'thread')}", some, train_label, "us_per_step")
        )
    if "score" in results:
        panels.append(("scoring call, 1 thread", results["score"]["rows"], score_label, "p50_us"))
    if not panels:
        return
    heights = [len(rows) for _, rows, _, _ in panels]
    figure = Figure(figsize=(13, 2 + 0.45 * sum(heights)), layout="constrained")
    grid = figure.subplots(len(panels), 2, squeeze=False, height_ratios=heights)
    for (left, right), (title, rows, label, field) in zip(grid, panels, strict=True):
        _ratios(left, rows, field)
        left.set_title(f"Time per {title}, relative to dnncore")
        _label(left, [label(row) for row in rows])
        if field == "us_per_step":
            _shares(right, rows)
            right.set_title(f"Share of the GEMM rate, {title}")
            _label(right, [""] * len(rows))
        else:
            right.set_axis_off()
    handles = {handle.get_label(): handle for axes in grid.flat for handle in axes.collections}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    machine = results["machine"]
    figure.suptitle(f"{machine['processor']}, {count(machine['available_cpus'], 'processor')}")
    figure.savefig(path, dpi=120)
    print(f"written: {path}")


def growth_chart(results: dict[str, Any], path: Path) -> None:
    """Plot the time per epoch against each swept quantity, on logarithmic axes."""
    points = results.get("grow", {}).get("points", [])
    if not points:
        return
    from matplotlib.figure import Figure

    quantities = dict.fromkeys(point["quantity"] for point in points)
    figure = Figure(figsize=(3.2 * len(quantities), 4), layout="constrained")
    panels = figure.subplots(1, len(quantities), squeeze=False)[0]
    for axes, quantity in zip(panels, quantities, strict=True):
        some = [point for point in points if point["quantity"] == quantity]
        _growth(axes, some)
        axes.set_xlabel(quantity)
    panels[0].set_ylabel("seconds per epoch")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(path, dpi=120)
    print(f"written: {path}")


def _growth(axes: Axes, points: list[dict[str, Any]]) -> None:
    for number, name in enumerate(TRAINERS):
        measured = [point for point in points if name in point["seconds"]]
        if not measured:
            continue
        axes.plot(
            [point["value"] for point in measured],
            [point["seconds"][name]["median"] for point in measured],
            color="black" if name == "dnncore" else f"C{number - 1}",
            marker="D" if name == "dnncore" else "o",
            markersize=4,
            label=name,
        )
    first, base = points[0], points[0]["seconds"].get("dnncore")
    if base is not None:
        axes.plot(
            [point["value"] for point in points],
            [base["median"] * point["flop"] / first["flop"] for point in points],
            color="grey", linestyle=":", label="proportional to the arithmetic",
        )  # fmt: skip
    if first["quantity"] == "threads":
        axes.set_ylim(0, None)
        axes.set_xticks([point["value"] for point in points])
    else:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.grid(linewidth=0.4)


def train_label(row: dict[str, Any]) -> str:
    return f"{row['network']}, {row['batch_size']}\n{row['solver']}, {row['dtype']}"


def score_label(row: dict[str, Any]) -> str:
    return f"{row['network']}, {row['n_rows']} rows"


def _ratios(axes: Axes, rows: list[dict[str, Any]], field: str) -> None:
    from matplotlib.ticker import LogLocator

    def ratio(row: dict[str, Any], name: str) -> float:
        base = row["contenders"]["dnncore"][field]["median"]
        return row["contenders"][name][field]["median"] / base

    _points(axes, [row if "dnncore" in row["contenders"] else None for row in rows], ratio)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")


def _shares(axes: Axes, rows: list[dict[str, Any]]) -> None:
    _points(axes, rows, lambda row, name: row["contenders"][name]["share_of_gemm"])
    axes.set_xlim(0, None)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")


def _points(axes: Axes, rows: list[dict[str, Any] | None], value: Any) -> None:
    """Plot one line per row, one colour per contender."""
    names = dict.fromkeys([*TRAINERS, *SCORERS])
    for number, name in enumerate(names):
        points = [
            (value(row, name), y)
            for y, row in enumerate(rows)
            if row is not None and name in row["contenders"]
        ]
        if points:
            own = name.startswith("dnncore")
            axes.scatter(
                *zip(*points, strict=True),
                color=f"C{number - 1}" if name != "dnncore" else "black",
                marker="D" if own else "o",
                label=name,
                zorder=3,
            )


def _label(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(linewidth=0.4)
