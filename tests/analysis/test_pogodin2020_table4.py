"""The table beside the published one: what it takes, and what it refuses."""

import numpy as np
import pytest

from analysis import pogodin2020_table4 as table4
from neurosim import Recorder
from neurosim.checks import SettingError


@pytest.fixture
def finished(tmp_path):
    """A finished run of the protocol, as far as the table looks at it."""

    def make(name, seed=0, accuracy=0.98, **changes):
        settings = {"dataset": "mnist", "rule": "gaussian", "normalization": "divisive"}
        settings |= {"epochs": 100} | changes
        path = tmp_path / f"{name}.h5"
        with Recorder.create(path, protocol="p", settings=settings, seed=seed) as recorder:
            recorder.begin()
            summary = {"test_accuracy": accuracy, "measured_on": "test"}
            return recorder.finish(summary, {"layer1": np.zeros((2, 2))})

    return make


def test_runs_stand_beside_the_published_mean(finished, tmp_path):
    runs = [finished("a"), finished("b", 1, 0.984), finished("c", rule="last", accuracy=0.93)]
    table4.main(runs, out=tmp_path / "table.png")
    rows = [line.split("|") for line in (tmp_path / "table.md").read_text().splitlines()[2:]]
    last, ours = ([cell.strip() for cell in row[1:-1]] for row in rows)
    assert ours == [
        "mnist", "gaussian/divisive", "98.20", "98.00-98.40", "0 1", "100", "98.1", "0.2", "+0.1"
    ]  # fmt: skip
    assert last[1:4] == ["last/divisive", "93.00", "-"]
    assert (tmp_path / "table.png").stat().st_size > 10_000


def test_what_has_no_place_in_the_table_is_refused(finished):
    for name, changes in (("a", {"dataset": "digits"}), ("b", {"rule": "linear"})):
        with pytest.raises(SettingError, match=f"{name}.h5"):
            table4.collect([finished(name, **changes)])
    with pytest.raises(SettingError, match="seed 0 of gaussian/divisive twice"):
        table4.collect([finished("c"), finished("d")])


def test_no_run_is_an_error_and_not_an_empty_figure():
    with pytest.raises(SettingError, match="RUN must name at least one run file"):
        table4.collect([])
