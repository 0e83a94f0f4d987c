"""What to know before believing a difference between arms, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from neurosim.comparison.arms import Arm, words
from neurosim.comparison.measures import Spread
from neurosim.comparison.probe import probed
from neurosim.comparison.results import Result

Figures = Sequence[dict[str, Spread]]


def remarks(arms: Sequence[Arm], figures: Figures, unlike: Sequence[str], probe: int) -> list[str]:
    """Everything in which runs differ besides what is being compared.

    Parameters
    ----------
    arms : sequence of Arm
    figures : sequence of dict
        Of each arm.
    unlike : sequence of str
        In what data or networks differ.
    probe : int
        Samples of the linear probes; 0 if none were asked for.
    """
    results = [result for arm in arms for result in arm.results]
    found = [f"Data or networks are not the same: {difference}." for difference in unlike]
    partial = [result.path.name for result in results if not result.finished]
    if partial:
        found.append(f"Not finished, and taken as far as they came: {', '.join(partial)}.")
    found += _uneven(arms, "Seeds", lambda r: r.seed)
    found += _differ(arms, "Presentations", lambda r: f"{r.presentations:,.0f}")
    for name, of in _CIRCUMSTANCES.items():
        found += _differ(arms, name, of)
    changed = {str(r.provenance.get("commit")) for r in results}
    if any(commit.endswith("+changes") for commit in changed):
        found.append("Some runs were made with files that differed from their commit.")
    found += _unmeasured(arms, figures)
    unprobed = [result.path.name for result in results if probe and not probed(result)]
    if unprobed:
        found.append(
            "No linear probes, because the run keeps no description of its network and data or is "
            f"not finished: {', '.join(unprobed)}."
        )
    found.append(
        "Seconds are those of learning alone, on the machine of the run, whatever else it did."
    )
    return found


_CIRCUMSTANCES: dict[str, Callable[[Result], Any]] = {
    "Part measured": lambda r: r.measured_on,
    "Devices": lambda r: r.device,
    "Threads": lambda r: r.settings.get("threads"),
    "Precision": lambda r: r.settings.get("dtype"),
    "Commits": lambda r: str(r.provenance.get("commit") or "unknown")[:12],
    "Versions": lambda r: r.provenance.get("versions"),
    "Machines": lambda r: r.provenance.get("host"),
}


def _uneven(arms: Sequence[Arm], name: str, of: Callable[[Result], Any]) -> list[str]:
    """A sentence if arms do not have the same set of something."""
    sets = {arm.label: sorted({of(result) for result in arm.results}) for arm in arms}
    if len({tuple(members) for members in sets.values()}) < 2:
        return []
    return [f"{name} differ: " + "; ".join(f"{k}: {words(v)}" for k, v in sets.items()) + "."]


def _differ(arms: Sequence[Arm], name: str, of: Callable[[Result], Any]) -> list[str]:
    """A sentence if runs differ in something; short where the values are long."""
    sides: dict[str, dict[str, None]] = {}
    for arm in arms:
        for result in arm.results:
            sides.setdefault(words(of(result)), {})[arm.label] = None
    if len(sides) < 2:
        return []
    if max(map(len, sides)) > 40:
        return [f"{name} differ between runs (see the JSON)."]
    text = "; ".join(f"{side} in {', '.join(labels)}" for side, labels in sides.items())
    return [f"{name} differ: {text}."]


def _unmeasured(arms: Sequence[Arm], figures: Figures) -> list[str]:
    """A sentence for arms that were not evaluated early enough to be read off."""
    found = []
    for name, what in (
        ("accuracy_at_presentations", "presentations"),
        ("accuracy_at_seconds", "time"),
    ):
        missing = [a.label for a, f in zip(arms, figures, strict=True) if name not in f]
        if missing:
            found.append(
                f"No accuracy at equal {what}, because it lies before the first evaluation or the "
                f"run kept no times: {', '.join(missing)}."
            )
    return found
