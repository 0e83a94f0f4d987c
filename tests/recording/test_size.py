import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurosim.checks import BudgetError
from neurosim.recording import RecordSettings, Run
from neurosim.recording.series import Series
from neurosim.recording.size import predicted_bytes

PRESENTATIONS = 4000


def declare(recorder):
    """What a simulator of two layers declares, as far as its recorder's settings ask for it."""
    record = recorder.record
    at = {"dtype": "f4", "unit": "1"}
    rows = -(-PRESENTATIONS // (record.every or 1))
    recorder.declare("events/onset", shape=(), axes=("presentation",), rows=rows, **at)
    for layer in ("layers/layer1", "layers/layer2"):
        for axis in ("neuron", "synapse"):
            count = min(getattr(record, f"{axis}s"), 300)
            shown = {"shape": (count,), "coordinates": {axis: np.arange(count)}, **at}
            if record.every and count:
                axes = ("presentation", axis)
                recorder.declare(f"{layer}/{axis}_trace", axes=axes, rows=rows, **shown)
            if record.instants and count:
                window = record.instants[1] - record.instants[0]
                name, axes = f"{layer}/instants/{axis}_trace", ("presentation", axis)
                recorder.declare(name, axes=axes, rows=window, **shown)
                name, axes = f"{layer}/{axis}_fast", ("instant", axis)
                recorder.declare(name, axes=axes, rows=20 * window, **shown)


@pytest.mark.parametrize(
    "record",
    [
        RecordSettings(),
        RecordSettings(every=1, compression="none"),
        RecordSettings(every=1, synapses=200, compression="none"),
        RecordSettings(every=7, neurons=100, instants=(5, 60), compression="none"),
    ],
)
def test_predicted_size_is_that_of_the_uncompressed_file(make, record):
    recorder = make(record=record)
    declare(recorder)
    series = list(recorder._series.values())
    recorder.begin()
    for one in series:
        recorder.append(one.name, np.random.default_rng(0).random((one.rows, *one.shape), "f4"))
    recorder.flush()
    truth = recorder._paths.partial.stat().st_size
    assert predicted_bytes(series) == pytest.approx(truth, rel=0.04)


def proposals(error):
    """The settings proposed by an error, as lists of ``(field, values)``."""
    for option in re.search(r"Use (.*)\.$", str(error)).group(1).split(" or "):
        yield [
            (field, tuple(float(value) for value in values.split()))
            for field, values in re.findall(r"--record\.(\w+) ([^-]+)", option)
        ]


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    every=st.integers(0, 3),
    neurons=st.integers(0, 300),
    synapses=st.integers(0, 400),
    window=st.integers(0, 900),
    budget=st.integers(5_000, 4_000_000),
)
def test_proposed_settings_fit(make, tmp_path, every, neurons, synapses, window, budget):
    record = RecordSettings(
        every=every,
        neurons=neurons,
        synapses=synapses,
        instants=(10, 10 + window) if window else None,
        budget=budget,
    )
    recorder = make("first.h5", record=record, overwrite=True)
    declare(recorder)
    try:
        recorder.begin()
    except BudgetError as error:
        refusal = error
    else:
        return
    finally:
        recorder.close()
    options = list(proposals(refusal))
    assert [field for field, _ in options[-1]] == ["budget"]
    for option in options:
        changes = {f: v if len(v) > 1 else v[0] for f, v in option}
        changes = {
            f: v if f == "budget" else tuple(map(int, v)) if f == "instants" else int(v)
            for f, v in changes.items()
        }
        fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
        second = make("second.h5", record=RecordSettings(**fields | changes), overwrite=True)
        declare(second)
        second.begin()
        second.close()


def test_refusal_names_size_budget_and_settings(make):
    recorder = make(record=RecordSettings(every=1, synapses=200, budget=1e6))
    declare(recorder)
    with pytest.raises(BudgetError) as caught:
        recorder.begin()
    assert str(caught.value).startswith(
        "RecordSettings.budget must hold the recording; got 1e+06 bytes for 7.08"
    )
    fields = [[field for field, _ in option] for option in proposals(caught.value)]
    assert fields == [["every"], ["synapses"], ["budget"]]
    with Run(recorder._paths.partial) as run:
        assert run.status == "partial"


def test_settings_are_proposed_together_when_none_alone_is_enough(make):
    record = RecordSettings(every=1, synapses=200, instants=(0, 900), budget=100_000)
    recorder = make(record=record)
    declare(recorder)
    with pytest.raises(BudgetError) as caught:
        recorder.begin()
    fields = [[field for field, _ in option] for option in proposals(caught.value)]
    assert fields == [["every", "synapses", "neurons", "instants"], ["budget"]]


def test_unknown_length_counts_as_one_block():
    def series(rows):
        return Series(
            name="a/b", shape=(), dtype=np.dtype(float), unit="1", axes=("note",), rows=rows
        )

    assert predicted_bytes([series(None)]) == predicted_bytes([series(1024)])
