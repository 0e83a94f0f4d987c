"""Arms of a comparison: rules and modes by name, each with the best settings known of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.pogodin2020 import simulator
from models.pogodin2020_batched import PAIRWISE, RULES, completed, trainer
from neurosim import Seeds
from neurosim.checks import SettingError, require, require_one_of
from neurosim.data import Dataset
from neurosim.protocol import from_json, to_json
from protocols import pogodin2020_stream as stream
from protocols import pogodin2020_table1 as batches

Config = stream.Config | batches.Config

MILESTONES = (0.5, 0.75, 0.9)
"""Where the published rates drop, in parts of a batched run."""

_ONLINE: dict[str, Any] = {"final": 0.01, "readout_rate": 0.003, "reads": "all"}
_LEVELS: dict[str, dict[str, Any]] = {
    "two-point": {"remembered": 4, "rate": 0.06},
    "smoothed": {"rate": 0.03},
    "memory": {"rate": 0.03, "gap": 0.3},
}
# results/streaming_mnist.md and levels.md say how the grouped rules' settings were chosen. Those of
# the others are the better of a few tried on held-out MNIST (10 000 samples, one or two epochs).
# Oja and Hebb did best where they changed least: with higher rates all neurons of a
# layer become alike, or their weights grow without end.
STREAMING: dict[str, dict[str, Any]] = {
    **{f"{n}/grouped": {"level": n, "rule": "grouped", **_LEVELS[n]} for n in _LEVELS},
    **{
        f"{n}/plain": {"level": n, "rule": "plain", "groups": 0, "sigma": 10.0}
        | _LEVELS[n]
        | ({"rate": 0.2} if n == "two-point" else {})
        for n in _LEVELS
    },
    "oja": {"rule": "oja", "rate": 1e-8},
    "bcm": {"rule": "bcm", "rate": 1e-5},
    "hebb": {"rule": "hebb", "rate": 1e-8},
}
BATCHED: dict[str, dict[str, Any]] = {
    f"{rule}/{normalization}": {"rule": rule, "normalization": normalization}
    for rule in RULES
    for normalization in ("plain", "grouped", "divisive")
    if rule in PAIRWISE or normalization != "grouped"
}
SHORT = (
    {level: f"{level}/grouped" for level in _LEVELS}
    | {rule: f"{rule}/plain" for rule in RULES}
    | {rule: f"{rule}/divisive" for rule in PAIRWISE}
)
"""What a name without its second half stands for."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A rule or mode, and what was asked of it in particular.

    Parameters
    ----------
    name : str
        One of `STREAMING` or `BATCHED`.
    overrides : dict
        Settings that replace the best known ones, as JSON values.
    """

    name: str
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """The protocol that runs it."""
        return "pogodin2020_stream" if self.name in STREAMING else "pogodin2020_table1"

    def config(self, shared: Mapping[str, Any]) -> Config:
        """Settings of one run; ``shared`` are those that all arms have in common."""
        if self.name in STREAMING:
            config: Config = stream.Config(**_ONLINE, **STREAMING[self.name], **shared)
        else:
            drops = sorted({max(1, round(part * shared["epochs"])) for part in MILESTONES})
            config = batches.Config(**BATCHED[self.name], milestones=tuple(drops), **shared)
        return from_json(type(config), to_json(config) | self.overrides)

    def require_runnable(self, shared: Mapping[str, Any], data: Dataset) -> None:
        """Refuse settings that no run would start with."""
        config = self.config(shared)
        try:
            if isinstance(config, stream.Config):
                simulator(config, data, Seeds(0), config.device)
            else:
                trainer(completed(config, config.dataset), data, Seeds(0), config.device)
        except SettingError as error:
            error.add_note(f"(arm {self.name})")
            raise


def arms(names: Iterable[str], overrides: Iterable[str], shared: Iterable[str]) -> list[Arm]:
    """Arms by name, with what is overridden.

    Parameters
    ----------
    names : iterable of str
        At least two different ones.
    overrides : iterable of str
        Each ``ARM:SETTING=VALUE``.
    shared : iterable of str
        Settings that may not be overridden, because all arms share them.

    Raises
    ------
    SettingError
        If a name or setting is unknown, or an override is not one.
    """
    chosen = [full_name(name) for name in names]
    different = len(set(chosen)) == len(chosen) > 1
    require(different, "Config.arms", "name two or more different ones", tuple(chosen))
    found: dict[str, dict[str, Any]] = {name: {} for name in chosen}
    for text in overrides:
        name, setting, value = _parts(text)
        require_one_of(f"Config.override {text!r}: the arm", name, found)
        require(
            setting not in shared, "Config.override", "leave alone what all arms share", setting
        )
        kind = stream.Config if name in STREAMING else batches.Config
        require_one_of(
            f"Config.override {text!r}: the setting",
            setting,
            {f.name for f in dataclasses.fields(kind)} - set(shared),
        )
        found[name][setting] = value
    return [Arm(name=name, overrides=settings) for name, settings in found.items()]


def full_name(name: str) -> str:
    """The whole name of an arm.

    Raises
    ------
    SettingError
        If there is no such arm; lists those there are.
    """
    whole = SHORT.get(name, name)
    require_one_of("Config.arms", whole, (*STREAMING, *BATCHED))
    return whole


def _parts(text: str) -> tuple[str, str, Any]:
    """Arm, setting and value of ``ARM:SETTING=VALUE``; the value is JSON, else a word."""
    name, colon, assignment = text.partition(":")
    setting, equals, value = assignment.partition("=")
    usable = bool(colon and equals and setting and value)
    example = "For example: --override two-point:rate=0.03"
    require(usable, "Config.override", "read ARM:SETTING=VALUE", text, example)
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        parsed = value
    return full_name(name), setting.replace("-", "_"), parsed
