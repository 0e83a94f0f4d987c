"""The device's read-outs do what those of the CPU do."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neurosim.streaming.gpu.layers import Size, Span
from neurosim.streaming.gpu.reader import Reader, ReaderLane
from neurosim.streaming.presentations import UNLABELLED
from neurosim.streaming.readout import ReadOut, present_reference

LENGTH, N_PRE = 7, 6
SPANS = [Span(0, 0, 3), Span(1, 3, 3), Span(2, 6, 1)]


def stimuli(rng, dtype, samples):
    """What a layer passes on, every trace of it; the third comes twice."""
    outputs = rng.normal(size=(LENGTH * samples, N_PRE)).astype(dtype)
    outputs[3 * samples : 4 * samples] = outputs[2 * samples : 3 * samples]
    return outputs


def walk(device, all_settings, states, outputs, lessons, rates, *, samples, threads, spans=SPANS):
    """Read-outs as replicas, each with numbers of its own, in inner chunks; their predictions."""
    whole = device.put({name: np.stack([s[name] for s in states]) for name in states[0]})
    traces, predicted = (
        device.put(np.stack(outputs)),
        device.put(np.zeros((len(states), LENGTH), int)),
    )
    told = {
        "lessons": device.put(np.stack(lessons)), "rates": device.put(np.stack(rates)),
        "predicted": predicted,
    }  # fmt: skip

    def look(span):
        return traces[:, span.first * samples : (span.first + span.shown) * samples]

    halves = [lambda span: look(span)[:, :, :4], lambda span: look(span)[:, :, 4:]]
    reader = Reader(all_settings, whole, threads)
    lane = ReaderLane(reader, Size(samples, samples + 1, 1, 3), halves, told)
    for span in spans:
        lane.step(span)
    return device.fetch(whole), device.fetch(predicted)


@pytest.mark.parametrize(
    ("momentum", "decay", "classes", "threads", "dtype", "samples"),
    [
        (0.0, 0.0, 3, 4, "float64", 2),
        (0.7, 0.0, 5, 2, "float64", 1),
        (0.0, 0.4, 3, 1, "float64", 2),
        (0.7, 0.4, 3, 4, "float64", 1),
        (0.7, 0.4, 5, 2, "float32", 1),
    ],
)
def test_replicas_do_what_they_do_alone(device, momentum, decay, classes, threads, dtype, samples):
    rng, case = np.random.default_rng(0), SimpleNamespace(settings=[], states=[], told=[])
    for k in (1, 2):
        settings = ReadOut(n_classes=classes, momentum=momentum / k, weight_decay=decay * k)
        case.settings.append(settings)
        case.states.append(settings.start(N_PRE, np.dtype(dtype)))
        lessons = rng.integers(0, classes, LENGTH)
        lessons[[k, 5]] = UNLABELLED
        outputs = stimuli(rng, dtype, samples)
        case.told.append((outputs, lessons, rng.uniform(0.1, 0.5, LENGTH)))
    columns = list(zip(*case.told, strict=True))
    found, predicted = walk(
        device, case.settings, case.states, *columns, samples=samples, threads=threads
    )
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    for k, (settings, state, told) in enumerate(
        zip(case.settings, case.states, case.told, strict=True)
    ):
        outputs, lessons, rates = told
        expected = settings.present(state, outputs[samples - 1 :: samples], lessons, rates)
        assert expected[0] == 0, "all are equal: the first is taken"
        assert len(set(expected)) > 1
        np.testing.assert_array_equal(predicted[k], expected)
        assert np.abs(state["weights"]).max() > 0.1
        for name, array in state.items():
            np.testing.assert_allclose(found[name][k], array, rtol=0, atol=tolerance, err_msg=name)


def test_more_classes_than_threads_of_a_warp(device):
    """Every warp looks through all of them."""
    classes, rng = 40, np.random.default_rng(1)
    settings, outputs = ReadOut(n_classes=classes), stimuli(rng, "float64", 1)
    state = settings.start(N_PRE, np.dtype("float64"))
    state["bias"][[37, 21]] = 3.0
    copy = {name: array.copy() for name, array in state.items()}
    lessons, rates = np.array([34, 5, 38, 0, 0, 0, 0]), np.full(LENGTH, 2.0)
    outputs[1] = outputs[0]
    found, predicted = walk(
        device, [settings], [state], [outputs], [lessons], [rates], samples=1, threads=64,
        spans=[Span(0, 0, 2)],
    )  # fmt: skip
    expected = [present_reference(settings, copy, outputs[t], lessons[t], 2.0) for t in range(2)]
    assert expected[1] == 34
    assert expected[0] == 21
    np.testing.assert_array_equal(predicted[0, :2], expected)
    for name in ("weights", "bias"):
        np.testing.assert_allclose(found[name][0], copy[name], rtol=0, atol=1e-12)


def test_drives_that_are_no_numbers_predict_some_class(device):
    settings = ReadOut(n_classes=3)
    state = settings.start(N_PRE, np.dtype("float64"))
    outputs = np.full((LENGTH, N_PRE), np.nan)
    _, predicted = walk(
        device, [settings], [state], [outputs], [np.zeros(LENGTH, int)], [np.ones(LENGTH)],
        samples=1, threads=4,
    )  # fmt: skip
    assert ((predicted >= 0) & (predicted < 3)).all()
