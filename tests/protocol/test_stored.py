"""Settings to JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.protocol import ProtocolConfig, from_json, to_json
from neurosim.recording import RecordSettings


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = 1
    scale: float | None = None


@dataclass(frozen=True, kw_only=True)
class Other:
    depth: int = 1
    scale: float | None = None


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    widths: tuple[int, ...] = (3, 4)
    span: tuple[float, str] = (0.5, "s")
    names: list[str] = field(default_factory=list)
    table: dict[str, float] = field(default_factory=dict)
    rule: Literal["one", 2] = "one"
    folder: Path | None = None
    colour: Colour = Colour.RED
    layers: tuple[Inner, ...] = (Inner(),)
    inner: Inner = Inner()
    flag: bool = False
    level: int | float = 1
    tau: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Required:
    size: int


@dataclass(frozen=True, kw_only=True)
class Ambiguous:
    part: Inner | Other = Inner()


@dataclass(frozen=True, kw_only=True)
class Anything:
    value: Any = None


reals = st.floats(allow_nan=False)

inner = st.builds(Inner, depth=st.integers(), scale=st.none() | reals)
configs = st.builds(
    Config,
    seed=st.integers(0, 2**60),
    widths=st.lists(st.integers(), max_size=3).map(tuple),
    span=st.tuples(reals, st.text()),
    names=st.lists(st.text(), max_size=3),
    table=st.dictionaries(st.text(), reals, max_size=3),
    rule=st.sampled_from(["one", 2]),
    folder=st.sampled_from([None, Path("a/b"), Path("/c")]),
    colour=st.sampled_from(Colour),
    layers=st.lists(inner, max_size=2).map(tuple),
    inner=inner,
    flag=st.booleans(),
    level=st.integers() | reals,
    tau=reals,
    record=st.builds(
        RecordSettings, every=st.integers(0, 9), instants=st.sampled_from([None, (2, 5)])
    ),
)


@settings(max_examples=40)
@given(configs)
def test_everything_comes_back_as_it_was_through_json_text(config):
    restored = from_json(Config, json.loads(json.dumps(to_json(config))))
    assert restored == config
    assert repr(restored) == repr(config)


def test_nan_and_whole_numbers_in_float_fields_are_storable():
    stored = to_json(Config(tau=math.nan, span=(1, "s")))
    restored = from_json(Config, stored)
    assert math.isnan(restored.tau)
    assert type(restored.span[0]) is float


def test_left_out_settings_take_their_default():
    assert from_json(Config, {"seed": 4, "inner": {"depth": 2}}) == Config(
        seed=4, inner=Inner(depth=2)
    )


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ({"sed": 1}, "Did you mean seed?"),
        ({"inner": {"dept": 1}}, "Inner must not contain 'dept'"),
        ({"seed": "1"}, "Config.seed must be of type int; got '1'"),
        ({"seed": True}, "Config.seed"),
        ({"tau": "fast"}, "Config.tau"),
        ({"flag": 1}, "Config.flag"),
        ({"widths": 3}, "Config.widths must be a list"),
        ({"widths": [1, 2.5]}, r"Config.widths\[1\]"),
        ({"span": [1.0]}, "Config.span must have 2 entries"),
        ({"rule": "three"}, "Config.rule must be one of one, 2"),
        ({"colour": "green"}, "Config.colour must be one of red, blue"),
        ({"folder": 3}, "Config.folder must be a path"),
        ({"table": [1]}, "Config.table must be a mapping"),
        ({"inner": 3}, "Config.inner must be a mapping"),
        ({"layers": [{"scale": "x"}]}, "Inner.scale"),
        ({"seed": -1}, "Config.seed must be a non-negative integer"),
        ({"record": {"every": -1}}, "RecordSettings.every"),
        (["seed"], "Config must be stored as a mapping"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(stored, text):
    with pytest.raises(SettingError, match=text.replace("?", r"\?")):
        from_json(Config, stored)


def test_a_missing_required_setting_is_named():
    with pytest.raises(SettingError, match=r"Required\.size must be given"):
        from_json(Required, {})


def test_what_would_not_come_back_the_same_is_refused_before_the_run():
    assert from_json(Ambiguous, to_json(Ambiguous())) == Ambiguous()
    with pytest.raises(SettingError, match="read back from JSON unchanged"):
        to_json(Ambiguous(part=Other()))
    with pytest.raises(SettingError, match=r"Anything\.value.*Settings are stored as JSON"):
        to_json(Anything(value=np.ones(2)))
