"""Arms: runs that differ in their seed only, and the words that set arms apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim.checks import SettingError, require
from neurosim.comparison.results import Result, read

NEUTRAL = {"seed", "record", "threads", "chunk", "evaluations", "alignment"}
"""Settings that do not change what is learned."""
HEADLINE = ("level", "rule", "normalization")
"""Settings that say most about an arm; their values need no name beside them."""

SILENT = {("normalization", "plain")}
"""What goes without saying."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Arm:
    """Runs of one protocol and the same settings, whatever their seed.

    Parameters
    ----------
    label : str
        What sets the arm apart, short.
    results : tuple of Result
        One a seed, in order of the seeds.
    """

    label: str
    results: tuple[Result, ...]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [result.seed for result in self.results]

    @property
    def protocol(self) -> str:
        """The protocol of all runs."""
        return self.results[0].protocol

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that all runs share."""
        first = self.results[0].settings
        return {
            name: value
            for name, value in first.items()
            if all(result.settings.get(name) == value for result in self.results)
        }


def gather(paths: Sequence[Path], label: Sequence[str] = ()) -> tuple[Arm, ...]:
    """Read run files and group them into arms, in the order in which they are given.

    Parameters
    ----------
    paths : sequence of Path
    label : sequence of str
        Settings that are always part of an arm's label.

    Raises
    ------
    SettingError
        If there are no runs, one is given twice, or no run has a setting of ``label``.
    RunFileError
        If a file cannot be read.
    """
    require(len(paths) > 0, "compare.runs", "name at least one run file", list(map(str, paths)))
    groups: dict[str, list[Result]] = {}
    for path in paths:
        result = read(path)
        groups.setdefault(_key(result), []).append(result)
    members = [sorted(group, key=lambda result: result.seed) for group in groups.values()]
    known = {name for group in members for name in group[0].settings}
    for name in label:
        require(name in known, "compare.label", "name a setting of the runs", name)
    labels = _labels([group[0] for group in members], label)
    arms = tuple(
        Arm(label=text, results=tuple(group)) for text, group in zip(labels, members, strict=True)
    )
    for arm in arms:
        for one, other in zip(arm.results, arm.results[1:], strict=False):
            if one.seed == other.seed:
                raise SettingError(
                    f"compare.runs must hold one run a seed of {arm.label}; got seed {one.seed} in "
                    f"{one.path} and in {other.path}. Leave one of them out."
                )
    return arms


def differing(arms: Sequence[Arm]) -> list[str]:
    """Names of the settings that are not the same in all the arms that have them."""
    firsts = [arm.results[0] for arm in arms]
    return [
        name
        for name in _differing(firsts)
        if len({words(first.settings[name]) for first in firsts if name in first.settings}) > 1
    ]


def words(value: Any) -> str:
    """A setting's value as people write it."""
    if isinstance(value, list):
        return " ".join(map(words, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {words(item)}" for name, item in value.items())
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "default" if value is None else str(value)


def _key(result: Result) -> str:
    settings = {name: v for name, v in result.settings.items() if name not in NEUTRAL}
    return json.dumps([result.protocol, settings], sort_keys=True)


def _labels(firsts: Sequence[Result], extra: Sequence[str]) -> list[str]:
    """The headline of each arm; with further settings where arms would share one."""
    headlines = [_headline(first, extra) for first in firsts]
    labels = []
    for first, headline in zip(firsts, headlines, strict=True):
        rivals = [f for f, same in zip(firsts, headlines, strict=True) if same == headline]
        parts = [first.protocol] if len({rival.protocol for rival in rivals}) > 1 else []
        names = dict.fromkeys([*extra, *_differing(rivals)])
        parts += [
            f"{name.replace('_', ' ')} {words(first.settings[name])}"
            for name in names
            if name in first.settings
        ]
        labels.append(f"{headline} ({', '.join(parts)})" if parts else headline)
    return labels


def _headline(first: Result, extra: Sequence[str]) -> str:
    settings = first.settings
    values = [
        str(settings[name])
        for name in HEADLINE
        if name in settings and name not in extra and (name, settings[name]) not in SILENT
    ]
    if "level" in settings:
        values.insert(0, "streaming")
    return " ".join(values) or first.protocol


def _differing(results: Sequence[Result]) -> list[str]:
    names = dict.fromkeys(name for result in results for name in result.settings)
    missing = object()
    return [
        name
        for name in names
        if name not in NEUTRAL
        and any(
            result.settings.get(name, missing) != results[0].settings.get(name, missing)
            for result in results
        )
    ]
