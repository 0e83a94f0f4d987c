"""Figure 1A and 1B as numbers: is the jump recovered, and is the recording exact?"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from neurosim.backend import to_device
from neurosim.checks import SettingError
from neurosim.dynamics import MemoryTrace
from neurosim.protocol import from_json, to_json
from neurosim.recording import Recorder, Run
from neurosim.testing import pretend_device
from protocols import pogodin2020_traces as protocol

CONFIG = protocol.Config(presentations=4, neurons=2, dt=0.002)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "run.h5"
    settings = to_json(CONFIG)
    with Recorder.create(
        path, protocol="pogodin2020_traces", settings=settings, seed=0, record=CONFIG.record
    ) as recorder:
        protocol.run(CONFIG, recorder)
    with Run(path) as run:
        yield run


@pytest.mark.parametrize("name", ["scenario_a", "scenario_b"])
def test_traces_share_time_and_name_their_axes(finished, name):
    time = finished.trace(name, "time").values
    np.testing.assert_allclose(np.diff(time), CONFIG.dt)
    for trace in set(finished.traces(name)) - {"time"}:
        recorded = finished.trace(name, trace)
        assert recorded.axes == ("time", "neuron")
        assert recorded.values.shape == (len(time), 2)
        np.testing.assert_array_equal(recorded.coordinates["time"], time)


def test_settings_are_stored_with_the_run(finished):
    assert from_json(protocol.Config, finished.settings) == CONFIG


def test_without_gaps_the_derivative_reports_each_jump(finished):
    events = finished.events
    rate = finished.trace("scenario_a", "rate").values
    time = finished.trace("scenario_a", "time").values
    before = rate[0]
    for number, onset in enumerate(events["onset"][:, 0]):
        shown = rate[(time > onset + 1e-9) & (time < events["offset"][number, 0] - 1e-9)]
        np.testing.assert_array_equal(shown, np.broadcast_to(shown[0], shown.shape))
        np.testing.assert_allclose(shown[0] - before, events["jump"][number, 0], atol=1e-15)
        before = shown[0]
    np.testing.assert_array_equal(events["jump"][0, 0], 0.0)
    assert finished.summary["scenario_a_worst_error"] < 2e-3


def test_across_gaps_the_memory_reports_the_jump_between_data_points(finished):
    jump, recovered = finished.events["jump"][:, 1], finished.events["recovered"][:, 1]
    np.testing.assert_allclose(recovered, jump, rtol=0.05)
    assert np.abs(recovered / jump).max() <= 1.0
    ratios = np.array(finished.summary["scenario_b_recovered"])
    np.testing.assert_allclose(ratios, recovered[1:] / jump[1:])


def test_the_derivative_of_the_memory_is_the_convolution():
    """Against adaptive quadrature that knows where the memory changes sign."""
    config = replace(CONFIG, presentations=3, neurons=1, dt=0.015)
    deviations = np.array([[2.0], [-3.0], [1.6]])
    scenario = protocol.with_gaps(config, deviations)
    trace, kappa = config.memory, config.derivative.kernel
    period = config.gap + config.duration
    states = [trace.init((1,))]
    for d in deviations:
        states.append(trace.relax(states[-1], d, config.duration))

    def recall(s):
        number = int((s - config.gap) // period)
        if number < 0:
            return 0.0
        number = min(number, 2)
        shown = min(s - config.gap - number * period, config.duration)
        return trace.recall(trace.relax(states[number], deviations[number], shown))[0]

    onset = config.gap + period * np.arange(3)
    crossings = [
        o + trace.crossing(state, d)[0]
        for o, state, d in zip(onset, states, deviations, strict=False)
    ]
    felt = np.flatnonzero(np.abs(scenario.traces["derivative"][:, 0]) > 1e-2)
    assert len(felt) >= 3
    for i in felt:
        t = scenario.traces["time"][i]
        near = [onset[onset <= t][-1] + k * trace.tau / 4 for k in range(12)]
        kinks = [t - config.derivative.c1, *onset, *crossings, *near]
        edges = np.unique(np.clip([max(0.0, t - 0.12), *kinks, t], max(0.0, t - 0.12), t))
        judge = sum(
            quad(lambda s, t=t: kappa(t - s) * recall(s), a, b, epsabs=1e-10, limit=200)[0]
            for a, b in pairwise(edges)
        )
        assert scenario.traces["derivative"][i, 0] == pytest.approx(judge, abs=1e-7)


@pytest.mark.parametrize("gap", [0.05, 20.0])
def test_the_length_of_the_gap_does_not_matter(gap):
    deviations = protocol.draw_responses(CONFIG)
    usual = protocol.peaks(protocol.with_gaps(replace(CONFIG, gap=0.3, dt=0.01), deviations))
    config = replace(CONFIG, gap=gap, dt=0.01)
    np.testing.assert_allclose(
        protocol.peaks(protocol.with_gaps(config, deviations)), usual, rtol=0, atol=2e-5
    )


def test_the_derivative_alone_is_misled_by_gaps(finished):
    """It sees the onset from background, not the change from the data point before."""
    jump, onset = finished.events["jump"][:, 1], finished.events["onset"][:, 1]
    recorded = finished.trace("scenario_b", "rate_derivative")
    deviations = np.cumsum(jump, axis=0)
    at_peak = np.searchsorted(recorded.coordinates["time"], onset + 0.04 - 1e-9)
    np.testing.assert_allclose(recorded.values[at_peak], deviations, rtol=1e-3)


def test_a_slow_memory_recovers_less():
    deviations = protocol.draw_responses(CONFIG)
    share = []
    for tau in (0.0005, 0.003, 0.01):
        scenario = protocol.with_gaps(replace(CONFIG, memory=MemoryTrace(tau=tau)), deviations)
        share.append(np.median(protocol.peaks(scenario) / scenario.jump))
    assert 1 > share[0] > share[1] > share[2] > 0.3


def test_responses_come_from_the_seed():
    first, again, other = (
        protocol.draw_responses(protocol.Config(seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    low, high = CONFIG.contrast
    assert ((np.abs(first) >= low) & (np.abs(first) <= high)).all()


def test_the_smoke_settings_run(tmp_path):
    config = protocol.Config.smoke()
    with Recorder.create(
        tmp_path / "run.h5", protocol="pogodin2020_traces", settings=to_json(config), seed=0
    ) as recorder:
        protocol.run(config, recorder)
    with Run(tmp_path / "run.h5") as run:
        assert run.info()["presentations"] == 2
        assert run.status == "finished"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"presentations": 1}, "presentations must be at least 2"),
        ({"neurons": 0}, "neurons must be at least 1"),
        ({"gap": 0.0}, r"gap must be positive \(seconds\)"),
        ({"dt": np.nan}, r"dt must be positive \(seconds\)"),
        ({"dt": 0.2}, r"dt must be shorter than a presentation, 0\.2 s"),
        ({"duration": 0.03}, r"derivative\.c1 must be shorter than a presentation"),
        ({"contrast": (2.0, 1.0)}, "contrast must be two deviations"),
    ],
)
def test_unusable_settings_are_refused(setting, message):
    with pytest.raises(SettingError, match=message):
        protocol.Config(**setting)


def test_a_device_computes_the_same():
    deviations = protocol.draw_responses(CONFIG)
    for scenario in (protocol.without_gaps, protocol.with_gaps):
        expected = scenario(CONFIG, deviations)
        with pretend_device() as device:
            found = scenario(CONFIG, to_device(deviations, "gpu"))
            assert device.sends > 1
        np.testing.assert_array_equal(found.jump, expected.jump)
        for name, values in expected.traces.items():
            np.testing.assert_allclose(found.traces[name], values, rtol=1e-12, err_msg=name)
