"""Speed and memory of the streaming engine; ``python -m benchmarks.streaming --help``.

Sections: a peers, b chunk size, c width, d duration, e recording, f memory. Results of sections
that are not run are kept.
"""

from __future__ import annotations

from benchmarks._harness import report, start
from benchmarks._machine import Quiet
from benchmarks._resources import memory, recording
from benchmarks._speed import Settings, against_peers, over_chunks, over_durations, over_widths
from neurosim.checks import require_one_of

SECTIONS = {
    "a": against_peers,
    "b": over_chunks,
    "c": over_widths,
    "d": over_durations,
    "e": recording,
    "f": memory,
}


def main(settings: Settings) -> None:
    """Run the chosen sections; each is reported as soon as it is done."""
    chosen = settings.only.split(",")
    for letter in chosen:
        require_one_of("Settings.only", letter, SECTIONS)
    for letter in chosen:
        with Quiet() as quiet:
            tables = SECTIONS[letter](settings)
        out = None if settings.quick else settings.out
        report("streaming", {letter: tables}, out, quiet.others)


if __name__ == "__main__":
    start(main, Settings, __doc__)
