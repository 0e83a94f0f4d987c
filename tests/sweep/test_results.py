"""The table of a sweep."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from neurosim.protocol import find, to_json
from neurosim.recording import Recorder
from neurosim.sweep import Job, Outcome
from neurosim.sweep.results import Spread, report, results, write


@pytest.fixture
def found(protocol):
    """Two combinations, three seeds each; the last run of the second one failed."""
    kind = find(protocol).config
    outcomes = []
    for widths in ((4, 5), (6,)):
        for seed in range(3):
            settings = kind(seed=seed, widths=widths)
            path = Path(f"{len(widths)}{seed}.h5")
            job = Job(protocol=str(protocol), settings=settings, out=path)
            if (widths, seed) == ((6,), 2):
                outcomes.append(Outcome(job=job, status="failed", path=path, error="Too bad."))
                continue
            with Recorder.create(
                path, protocol="adding", settings=to_json(settings), seed=seed
            ) as recorder:
                recorder.begin()
                accuracy = 0.1 * (seed + len(widths))
                recorder.finish(
                    {"test_accuracy": accuracy, "seconds": 2.0 + seed}, {"w": np.zeros(1)}
                )
            outcomes.append(Outcome(job=job, status="finished", path=path, error=None))
    return results(["widths", "record.every"], outcomes)


def test_seeds_are_put_together(found):
    assert [result.settings for result in found] == [
        {"widths": [4, 5], "record.every": 0},
        {"widths": [6], "record.every": 0},
    ]
    first, second = (result.test_accuracy for result in found)
    assert (first.mean, first.min, first.max) == pytest.approx((0.3, 0.2, 0.4))
    assert (second.mean, second.min, second.max) == pytest.approx((0.15, 0.1, 0.2))
    assert found[0].seconds == Spread(mean=3.0, min=2.0, max=4.0)
    assert found[1].runs[2] == {
        "seed": 2,
        "status": "failed",
        "file": "12.h5",
        "error": "Too bad.",
        "test_accuracy": None,
        "seconds": None,
    }


def test_files_say_the_same_and_replace_older_ones(found):
    Path("sweep.csv").write_text("older")
    write(Path(), "adding", found)
    assert json.loads(Path("sweep.json").read_text()) == report("adding", found)
    rows = list(csv.DictReader(Path("sweep.csv").read_text().splitlines()))
    assert [row["widths"] for row in rows] == ["4 5", "6"]
    assert [(row["runs"], row["finished"]) for row in rows] == [("3", "3"), ("3", "2")]
    assert float(rows[1]["test_accuracy_max"]) == pytest.approx(0.2)


def test_nothing_known_is_nothing_claimed():
    assert Spread.of([None, None]) == Spread(mean=None, min=None, max=None)
    assert Spread.of([None, 0.5]) == Spread(mean=0.5, min=0.5, max=0.5)
