"""How benchmarks time and report; what they time is checked when they run."""

import json
import os

import pytest

from benchmarks._harness import Table, Timing, interleave, report
from benchmarks._remote import Remote


class Doubler:
    """Something to call in another process."""

    def double(self, n: int) -> int:
        return 2 * n

    def variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def fail(self) -> None:
        raise KeyError("there")


def test_rounds_start_with_another_side_each_time():
    asked = []

    def side(name, seconds):
        def show(n):
            asked.append((name, n))
            return n * seconds

        return show

    found = interleave(
        {"slow": side("slow", 0.01), "fast": side("fast", 0.001)},
        rounds=3, seconds=1.0, longest=500,
    )  # fmt: skip
    assert asked[-6:] == [(name, 100 if name == "slow" else 500)
                          for name in ("slow", "fast", "fast", "slow", "slow", "fast")]  # fmt: skip
    assert found["slow"].rounds == pytest.approx([0.01] * 3)


def test_a_timing_is_a_median_and_a_relative_range():
    timing = Timing([1.0, 5.0, 2.0])
    assert timing.seconds == 2.0
    assert timing.spread == 2.0


def test_a_report_keeps_sections_measured_earlier(tmp_path):
    table = Table(title="Speed", columns=("side", "µs"), rows=[("ours", 1234.5678), ("a", 10_000)])
    report("speed", {"a": [table]}, tmp_path, 0.5)
    report("speed", {"b": [table]}, tmp_path, 0.0)
    known = json.loads((tmp_path / "speed.json").read_text())
    assert set(known) == {"a", "b"}
    assert known["a"]["tables"][0]["rows"][0] == ["ours", 1234.5678]
    text = (tmp_path / "speed.md").read_text()
    assert text.count("## Speed") == 2
    assert "| ours | 1235 |" in text
    assert "| a | 10,000 |" in text


def test_a_remote_side_answers_has_its_own_environment_and_hands_errors_back():
    remote = Remote(Doubler, environment={"NEUROSIM_OF_ITS_OWN": "yes"})
    assert remote.call("double", 21) == 42
    assert remote.call("variable", "NEUROSIM_OF_ITS_OWN") == "yes"
    assert "NEUROSIM_OF_ITS_OWN" not in os.environ
    with pytest.raises(KeyError, match="there"):
        remote.call("fail")
