"""Draws what `--save` has kept, as SVG: `python bench/pictures.py FOLDER`, in the environment of the peers."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter

OURS, PLAIN, OTHER = "#1f6f8b", "#9aa5ab", "#c7923e"
mpl.use("svg")
plt.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "jobtracker",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "figure.dpi": 100,
    }
)


def overhead(kept: dict[str, Any], picture: Path) -> None:
    """Tasks per second, as a share of plain Celery's."""
    ratios = kept["figures"]["ratio_to_plain"]
    parts = {"publisher": "publisher", "worker": "worker", "end_to_end": "one after the other"}
    shown = [("plain Celery", PLAIN, dict.fromkeys(parts, 1.0)), ("tracked", OURS, ratios["tracked"])]
    shown.append(("with Celery's task events", OTHER, ratios["events"]))
    figure, axes = plt.subplots(figsize=(7, 3))
    for n, (label, color, of) in enumerate(shown):
        bars = axes.bar([x + 0.27 * (n - 1) for x in range(len(parts))], [of[part] for part in parts], 0.25)
        plt.setp(bars, color=color, label=label)
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=9)
    axes.set_xticks(range(len(parts)), list(parts.values()))
    axes.set_ylim(0, 1.15)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title("No-op tasks per second, plain Celery = 1")
    axes.legend(*_one_of_each(axes), frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    _save(figure, picture)


def queries(kept: dict[str, Any], picture: Path) -> None:
    """Median times of questions over the number of jobs."""
    figures = kept["figures"]
    figure, axes = plt.subplots(figsize=(7, 4))
    for question, by_size in figures["times"].items():
        sizes = sorted(map(int, by_size))
        axes.plot(sizes, [by_size[str(size)]["p50_ms"] for size in sizes], marker="o", markersize=4, label=question)
    flower = figures["beside"]["Flower's tasks"]["p50_ms"]
    axes.plot([figures["flowers_tasks"]], [flower], "x", color=OTHER, label="Flower, 100 of its tasks")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}" if number >= 1 else f"{number:g}"))
    axes.set_xlabel("jobs in the store")
    axes.set_title("Milliseconds for a question over HTTP, median")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
    _save(figure, picture)


def _one_of_each(axes: Any) -> tuple[list[Any], list[str]]:
    found = {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(found.values()), list(found)


def _save(figure: Any, picture: Path) -> None:
    figure.savefig(picture, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def main(folder: Path) -> None:
    for draw in (overhead, queries):
        kept = folder / f"{draw.__name__}.json"
        if kept.exists():
            draw(json.loads(kept.read_text()), kept.with_suffix(".svg"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
