"""Progress: what is shown where, how often, and what it costs."""

from __future__ import annotations

import io
import time

import pytest

from neurosim.checks import SettingError
from neurosim.progress import Progress, duration, silenced


class Clock:
    """A clock the test turns by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def simulate(stream: io.StringIO, seconds: int, **settings) -> str:
    clock = Clock()
    with Progress(stream=stream, clock=clock, **settings) as progress:
        progress.start(100 * seconds, "training")
        for step in range(1, 100 * seconds + 1):
            clock.now = step / 100
            progress.update(step, accuracy=0.5 + step / (400 * seconds))
    return stream.getvalue()


def test_plain_output_is_a_few_lines_and_ends_with_the_final_state():
    lines = simulate(io.StringIO(), 3600).splitlines()
    assert 8 <= len(lines) <= 20
    assert lines[0] == (
        "training: 500/360,000 presentations, 100/s, 59 min 55 s left, "
        "accuracy 0.5003, 5.00 s elapsed"
    )
    assert lines[-1] == (
        "training: 360,000/360,000 presentations, 100/s, accuracy 0.75, 1 h 00 min elapsed"
    )


def test_many_phases_do_not_add_lines():
    clock, stream = Clock(), io.StringIO()
    with Progress(stream=stream, clock=clock) as progress:
        for epoch in range(100):
            progress.start(10, f"epoch {epoch}")
            for done in range(1, 11):
                clock.now += 1.0
                progress.update(done)
    assert 5 <= len(stream.getvalue().splitlines()) <= 20


def test_a_short_run_says_one_line():
    assert len(simulate(io.StringIO(), 1).splitlines()) == 1


def test_quiet_shows_nothing_and_silenced_is_inherited():
    assert simulate(io.StringIO(), 60, quiet=True) == ""
    stream = io.StringIO()
    with silenced(), Progress(stream=stream) as progress:
        progress.start(3, "x")
        progress.update(3)
        progress.message("hidden")
    assert stream.getvalue() == ""
    with silenced(), silenced(False):
        assert simulate(io.StringIO(), 60) == ""
    assert simulate(io.StringIO(), 60) != ""


def test_a_terminal_gets_a_live_line(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    text = simulate(Terminal(), 2)
    assert "━" in text
    assert "200/200 presentations" in text
    assert 10 < text.count("presentations") < 40  # ten a second for two seconds, not two hundred


def test_messages_come_through_with_brackets_intact():
    stream = io.StringIO()
    with Progress(stream=stream) as progress:
        progress.start(None, "layer [1]")
        progress.message("layer1/weight[3] is dead; lower sigma [now 5]")
        progress.update(7)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "layer1/weight[3] is dead; lower sigma [now 5]"
    assert lines[1].startswith("layer [1]: 7 presentations")


def test_a_resumed_phase_counts_only_its_own_work_in_the_rate():
    clock, stream = Clock(), io.StringIO()
    with Progress(stream=stream, clock=clock) as progress:
        progress.start(1000, "training", done=900)
        clock.now = 2.0
        progress.update(1000)
    assert "1,000/1,000 presentations, 50/s" in stream.getvalue()


def test_more_done_than_there_is_to_do_is_refused():
    with Progress(quiet=True) as progress, pytest.raises(SettingError, match=r"Progress\.done"):
        progress.start(10, "training", done=11)


def test_an_update_costs_microseconds():
    with Progress(stream=io.StringIO()) as progress:
        progress.start(10_000, "training")
        began = time.perf_counter()
        for step in range(10_000):
            progress.update(step, accuracy=0.5)
        assert (time.perf_counter() - began) / 10_000 < 5e-5


def test_the_state_at_an_error_is_still_shown():
    stream = io.StringIO()
    progress = Progress(stream=stream)
    with progress:
        progress.start(10, "training")
        progress.update(4)
        progress.__exit__(RuntimeError, RuntimeError(), None)
    assert stream.getvalue().count("4/10 presentations") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.421, "0.42 s"), (12.34, "12.3 s"), (245, "4 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text


def test_the_time_left_forgets_what_came_before_the_first_update():
    clock, stream = Clock(), io.StringIO()
    with Progress(stream=stream, clock=clock) as progress:
        progress.start(10_000, "streaming")
        clock.now = 20.0  # compiling
        progress.update(100)
        clock.now = 60.0
        progress.update(4100)
        clock.now = 119.0
        progress.update(10_000)
    lines = stream.getvalue().splitlines()
    assert "left" not in lines[0]  # nobody knows yet
    assert "100/s" in lines[1]
    assert "59.0 s left" in lines[1]
    assert "84/s" in lines[2]  # of the whole
