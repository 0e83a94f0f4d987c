import numpy as np
import pytest

from analysis import pogodin2020_fig1 as analysis
from analysis._script import call
from neurosim.checks import SettingError
from neurosim.protocol import to_json
from neurosim.recording import Recorder, Run
from protocols import pogodin2020_traces as protocol


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    config = protocol.Config(presentations=3, neurons=2, dt=0.005)
    path = tmp_path_factory.mktemp("fig1") / "run.h5"
    with Recorder.create(
        path, protocol="pogodin2020_traces", settings=to_json(config), seed=0
    ) as recorder:
        protocol.run(config, recorder)
    return path


@pytest.mark.parametrize("neuron", [0, 1])
def test_draws_what_the_file_holds(path, neuron):
    with Run(path) as run:
        panels = analysis.draw(run, neuron).axes
        for column, (panel, name) in enumerate(
            zip(panels, ["scenario_a", "scenario_b"], strict=True)
        ):
            lines = {line.get_label(): line for line in panel.lines}
            rate = run.trace(name, "rate")
            x, y = lines["activity"].get_data()
            np.testing.assert_array_equal(x, rate.coordinates["time"])
            np.testing.assert_array_equal(y, rate.values[:, neuron])
            derivative = run.trace(name, "derivative").values[:, neuron]
            np.testing.assert_array_equal(lines["derivative signal"].get_ydata(), derivative)
            jumps = run.events["jump"][:, column, neuron]
            circles = lines["true jump between data points"].get_ydata()
            np.testing.assert_array_equal(circles, jumps[jumps != 0])
        remembered = lines["remembered activity"].get_ydata()
        memory = run.trace("scenario_b", "memory").values[:, neuron]
        np.testing.assert_allclose(remembered, run.settings["background"] + memory)


def test_writes_an_image_beside_the_run_or_where_told(path, tmp_path, capsys):
    assert call(analysis.main, [str(path)]) == 0
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert call(analysis.main, [str(path), "--out", str(tmp_path / "figure.svg")]) == 0
    assert "true jump" in (tmp_path / "figure.svg").read_text()
    assert capsys.readouterr().out.splitlines()[-1].endswith("figure.svg")


def test_bad_input_is_one_line_and_exit_code_2(path, tmp_path, capsys):
    assert call(analysis.main, [str(tmp_path / "missing.h5")]) == 2
    assert call(analysis.main, [str(path), "--neuron", "2"]) == 2
    assert call(analysis.main, [str(path), "--out", str(tmp_path / "figure.docx")]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert all(line.startswith("error: ") for line in errors)
    assert "neuron must be a neuron of the run, 0 to 1; got 2" in errors[1]


def test_runs_of_other_protocols_are_refused(tmp_path):
    with Recorder.create(tmp_path / "run.h5", protocol="other", settings={}, seed=0) as recorder:
        recorder.begin()
        recorder.finish({}, {})
    with (
        Run(tmp_path / "run.h5") as run,
        pytest.raises(SettingError, match=r"protocol must be one of pogodin2020_traces"),
    ):
        analysis.draw(run)
