import json
import sys
from pathlib import Path

import pytest

from benchmarks import calibration
from benchmarks.calibration import chunk, finished, main, summed
from benchmarks.calibration_cells import CHUNK, PANELS, SETTINGS, Cell, Setting, four_arms, two_arms
from benchmarks.calibration_page import page
from tests.analysis.logs import log, pair_of

EIGHT = next(panel for panel in PANELS if panel.name == "8")
SHARP_NULL = Cell("two_arms", SETTINGS[0], EIGHT)


def document(rate: float) -> dict[str, object]:
    figure = {"replicates": 2000, "rate": rate, "se": 0.0049}
    return {
        "seed": 1,
        "software": {"numpy": "2", "scipy": "1"},
        "settings": {"S0": "null", "S1": "pairs"},
        "power": {},
        "panels": {"25": {"words": "25 raters", "realistic": True}, "8": {"words": "8 raters", "realistic": False}},
        "cells": {"two_arms/S1/25": {"two_way_net": figure}},
    }


def test_a_chunk_is_the_same_whenever_it_is_drawn_and_another_one_is_another():
    assert chunk(SHARP_NULL, 0, 5) == chunk(SHARP_NULL, 0, 5)
    assert chunk(SHARP_NULL, 0, 5) != chunk(SHARP_NULL, 1, 5)


def test_a_stopped_study_goes_on_to_the_table_it_would_have_written(tmp_path, monkeypatch):
    def table(replicates: int, folder: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setattr(calibration, "DOCS", tmp_path / folder)
        where = f"--settings S0 --panels 8 --families two_arms --jobs 1 --checkpoint {tmp_path / folder / 'kept'}"
        monkeypatch.setattr(sys, "argv", ["calibration", "--replicates", str(replicates), *where.split()])
        main()
        return (tmp_path / folder / "calibration.json").read_text()

    first = table(CHUNK, "stopped")
    kept = tmp_path / "stopped" / "kept"
    kept.write_text(kept.read_text() + '\n{"name": "cut sh')
    assert table(2 * CHUNK, "stopped") == table(2 * CHUNK, "whole") != first
    assert (tmp_path / "stopped" / "calibration.md").read_text() == (tmp_path / "whole" / "calibration.md").read_text()
    assert len(finished(kept)) == 2


def test_rates_have_the_standard_errors_of_their_replicates():
    # Ten of 200 studies: sqrt(0.05 * 0.95 / 200) = 0.015411.
    found = summed([{"net": (100, 4, 4)}, {"net": (100, 6, 6)}])
    assert found == {"net": {"replicates": 200, "rate": 0.05, "se": 0.015411}}


def test_a_changed_setting_shares_no_chunk_with_the_old_one():
    other = Cell("two_arms", Setting("S0", SETTINGS[0].words, pair_sd=0.1), EIGHT)
    assert other.key == SHARP_NULL.key
    assert other.fingerprint(1) != SHARP_NULL.fingerprint(1) != SHARP_NULL.fingerprint(2)


def test_a_clear_preference_is_found_and_a_level_log_is_not():
    clear = [entry for n in range(12) for entry in pair_of(9, 1, 2, name=f"p{n}")]
    level = [entry for n in range(12) for entry in pair_of(*((5, 4, 3) if n % 2 else (4, 5, 3)), name=f"p{n}")]
    assert two_arms(log(clear))["two_way_net"] is True
    assert two_arms(log(level))["two_way_net"] is False


def test_four_equal_arms_are_tested_six_times():
    cell = Cell("four_arms", SETTINGS[0], EIGHT)
    tally = chunk(cell, 0, 1)
    assert tally["davidson_contrast"][0] == CHUNK
    assert tally["davidson_contrast"][1] * 6 == pytest.approx(round(tally["davidson_contrast"][1] * 6))
    assert cell.tests is four_arms


def test_the_page_names_a_headline_cell_outside_the_band():
    assert "all from 0.025 to 0.065" in page(document(0.041))
    assert "above 0.065: S1 with panel 25" in page(document(0.081))
    assert "below 0.025: S1 with panel 25" in page(document(0.011))
    assert "| 25 | 2000 |  | 0.041 (5) |" in page(document(0.041))


def test_the_committed_page_is_what_the_committed_figures_say():
    docs = Path(calibration.__file__).resolve().parent.parent / "docs"
    committed = json.loads((docs / "calibration.json").read_text())
    assert (docs / "calibration.md").read_text() == page(committed)


def test_the_committed_headline_keeps_its_band_in_every_realistic_cell():
    docs = Path(calibration.__file__).resolve().parent.parent / "docs"
    cells = json.loads((docs / "calibration.json").read_text())["cells"]
    rates = [
        cells[f"two_arms/{setting.name}/{panel.name}"]["two_way_net"]
        for setting in SETTINGS
        for panel in PANELS
        if panel.realistic
    ]
    assert len(rates) == 27
    assert all(figure["replicates"] >= 2000 and 0.025 <= figure["rate"] <= 0.065 for figure in rates)
