"""How often our tests cry wolf: python -m benchmarks.calibration [--replicates 2000] [--jobs 2] [--settings S0,S3].

Simulates studies in which no arm is better, tests each with the functions the report is made of, and counts. A finished
chunk of replicates is kept in --checkpoint, so a stopped run goes on and a longer one adds to it. Writes
docs/calibration.json (figures that were not asked for stay as they are) and, from it, docs/calibration.md.
"""

import argparse
import json
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tqdm import tqdm

from analysis.simulation import simulate
from benchmarks.calibration_cells import ALPHA, CHUNK, FAMILIES, PANELS, POWER, SETTINGS, Cell
from benchmarks.calibration_page import page

DOCS = Path(__file__).resolve().parent.parent / "docs"

Tally = dict[str, tuple[int, float, float]]


def chunk(cell: Cell, number: int, seed: int) -> Tally:
    """Simulate and test CHUNK logs: per figure how many gave an answer, their sum and their sum of squares."""
    rng = np.random.default_rng([seed, zlib.crc32(cell.key.encode()), number])
    values: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(CHUNK):
        for name, value in cell.tests(simulate(cell.design, rng=rng).votes()).items():
            values[name] += [] if value is None else [float(value)]
    return {name: (len(given), sum(given), sum(x * x for x in given)) for name, given in values.items()}


def main() -> None:
    """Run what is missing, then write the table."""
    options = parsed()
    cells = list(chosen(options))
    numbers = range(-(-options.replicates // CHUNK))
    kept = finished(options.checkpoint)
    names = {
        (cell, number): f"{cell.fingerprint(options.seed)}/{cell.key}/{number}" for cell in cells for number in numbers
    }
    missing = [task for task, name in names.items() if name not in kept]
    with options.checkpoint.open("a") as file, ProcessPoolExecutor(options.jobs) as pool:
        running = {pool.submit(chunk, *task, options.seed): task for task in missing}
        for done in tqdm(as_completed(running), total=len(names), initial=len(names) - len(missing), unit="chunk"):
            name = names[running[done]]
            kept[name] = done.result()
            # A line break first: it also ends a line that a kill has cut short.
            file.write("\n" + json.dumps({"name": name, "tally": kept[name]}))
            file.flush()
    found = {cell.key: summed([kept[names[cell, number]] for number in numbers]) for cell in cells}
    write(found, seed=options.seed)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicates", type=int, default=2000, help="simulated studies a cell, in hundreds")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--settings", help="e.g. S0,S3; all of them unless given")
    parser.add_argument("--panels", help="e.g. 25,14+30; all of them unless given")
    parser.add_argument("--families", help="two_arms or four_arms; both unless given")
    checkpoint = Path(tempfile.gettempdir()) / "twinseed-calibration.jsonl"
    parser.add_argument(
        "--checkpoint", type=Path, default=checkpoint, help=f"finished chunks; {checkpoint} unless given"
    )
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> Iterator[Cell]:
    """The cells that were asked for; power with the realistic panels only."""
    for name in named(options.families, list(FAMILIES)):
        settings = {setting.name: setting for setting in FAMILIES[name].settings}
        wanted = named(options.settings, [setting.name for setting in SETTINGS + POWER])
        for setting in (settings[s] for s in wanted if s in settings):
            panels = {panel.name: panel for panel in PANELS if panel.realistic or setting not in POWER}
            for panel in named(options.panels, [panel.name for panel in PANELS]):
                if panel in panels:
                    yield Cell(name, setting, panels[panel])


def named(text: str | None, known: list[str]) -> list[str]:
    """A list of names from the command line, or all of them."""
    names = text.split(",") if text else known
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"{unknown[0]!r} is not one of {', '.join(known)}")
    return names


def finished(checkpoint: Path) -> dict[str, Tally]:
    """The chunks of earlier runs. A line cut short by a kill is run again."""
    kept: dict[str, Tally] = {}
    for line in checkpoint.read_text().splitlines() if checkpoint.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        kept[entry["name"]] = entry["tally"]
    return kept


def summed(tallies: list[Tally]) -> dict[str, dict[str, float]]:
    """Rates with their Monte-Carlo standard errors."""
    found = {}
    for name in tallies[0]:
        n, total, squares = (sum(tally[name][part] for tally in tallies) for part in range(3))
        rate = total / n if n else 0.0
        se = max(squares / n - rate**2, 0.0) ** 0.5 / n**0.5 if n else 0.0
        found[name] = {"replicates": n, "rate": round(rate, 6), "se": round(se, 6)}
    return found


def write(found: dict[str, dict[str, dict[str, float]]], *, seed: int) -> None:
    """Put the figures among those of earlier runs, and all of them on the page."""
    file = DOCS / "calibration.json"
    cells = json.loads(file.read_text())["cells"] if file.exists() else {}
    document = {
        "seed": seed,
        "alpha": ALPHA,
        "software": {name: version(name) for name in ("numpy", "scipy")},
        "settings": {setting.name: setting.words for setting in SETTINGS},
        "power": {setting.name: setting.words for setting in POWER},
        "panels": {panel.name: {"words": panel.words, "realistic": panel.realistic} for panel in PANELS},
        "cells": cells | found,
    }
    file.write_text(json.dumps(document, indent=1) + "\n")
    (DOCS / "calibration.md").write_text(page(document))


if __name__ == "__main__":
    main()
