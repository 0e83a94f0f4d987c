"""The figure any run can have: which panels and curves it is made of."""

from __future__ import annotations

import numpy as np
import pytest

from neurosim.plotting import plot_run
from neurosim.plotting.default import history_panels, split_name, trace_panels
from neurosim.recording import Recorder, RecordSettings, Run


@pytest.fixture
def run(tmp_path):
    """A finished run with a history of three rows and traces of one and two axes."""
    path = tmp_path / "a.h5"
    recorder = Recorder.create(
        path, protocol="p", settings={}, seed=1, record=RecordSettings(every=1)
    )
    with recorder:
        recorder.declare_history(
            {"presentations": "", "test_accuracy": "", "layer1_norm": "a.u.", "layer2_norm": "a.u."}
        )
        shape = {"rows": 4, "dtype": "f8", "unit": "Hz"}
        recorder.declare("events/presentation", shape=(), axes=("presentation",), **shape)
        recorder.declare("layers/layer1/drive", shape=(), axes=("presentation",), **shape)
        recorder.declare("layers/layer1/rate", shape=(2,), axes=("presentation", "neuron"), **shape)
        recorder.declare("layers/layer1/instants/u", shape=(), axes=("presentation",), **shape)
        recorder.begin()
        for row in range(3):
            recorder.note(presentations=10 * row, layer1_norm=row, layer2_norm=2 * row)
        recorder.note(presentations=30, test_accuracy=0.5)
        recorder.append("events/presentation", 10 * np.arange(4.0))
        recorder.append("layers/layer1/drive", np.arange(4.0))
        recorder.append("layers/layer1/rate", np.ones((4, 2)))
        recorder.finish({}, {"layer1": np.ones(2)})
    with Run(path) as opened:
        yield opened


def test_history_is_grouped_by_quantity_with_accuracy_first(run):
    accuracy, norm = history_panels(run)
    assert (accuracy.quantity, accuracy.x_label) == ("accuracy", "presentations")
    assert [(c.label, list(c.x), list(c.y)) for c in accuracy.curves] == [("test", [30], [0.5])]
    assert (norm.quantity, norm.unit) == ("norm", "a.u.")
    assert [(c.label, list(c.y)) for c in norm.curves] == [
        ("layer1", [0, 1, 2]),
        ("layer2", [0, 2, 4]),
    ]


def test_only_traces_of_one_number_a_moment_become_curves(run):
    (panel,) = trace_panels(run)
    assert (panel.quantity, panel.unit, panel.x_label) == ("drive", "Hz", "presentation")
    assert [(c.label, list(c.y)) for c in panel.curves] == [("layer1", [0, 1, 2, 3])]
    assert list(panel.curves[0].x) == [0, 10, 20, 30]  # presentations, not rows


def test_the_figure_names_quantities_units_and_the_run(run, tmp_path):
    text = plot_run(run, tmp_path / "a.svg").read_text()
    for expected in ("norm (a.u.)", "drive (Hz)", "presentations", "layer2", "p, seed 1, finished"):
        assert expected in text


def test_a_run_that_is_not_finished_can_be_drawn(tmp_path):
    recorder = Recorder.create(tmp_path / "b.h5", protocol="p", settings={}, seed=0)
    with recorder:
        recorder.declare_history({"layer1_norm": "1"})
        recorder.begin()
        recorder.note(layer1_norm=3.0)
    with Run(tmp_path / "b.h5") as run:
        assert "p, seed 0, partial" in plot_run(run, tmp_path / "b.svg").read_text()


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ("accuracy_layer2", ("accuracy", "layer2")),
        ("accuracy_online", ("accuracy", "online")),
        ("readout_accuracy", ("accuracy", "readout")),
        ("layer12_third_factor_norm", ("third factor norm", "layer12")),
        ("loss", ("loss", "")),
        ("train", ("train", "")),
        ("trainer_speed", ("trainer speed", "")),
    ],
)
def test_names_split_into_quantity_and_place(column, parts):
    assert split_name(column) == parts
