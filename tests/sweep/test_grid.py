"""A grid as it is written, its settings and its file names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.cli.arguments import parse
from neurosim.protocol import find
from neurosim.sweep.grid import file_name, points, require_not_given, seeds, words


@pytest.fixture
def config(protocol):
    return find(protocol).config


def parsed(config, text: str) -> list:
    """What a grid makes of the settings."""
    return [
        parse(config, words(point, config()), prog="test", description="")
        for point in points([text], config())
    ]


def test_every_combination_once_the_last_setting_fastest(config):
    assert points(["steps=1,2", "record.every=0, 5"], config()) == [
        {"steps": "1", "record.every": "0"},
        {"steps": "1", "record.every": "5"},
        {"steps": "2", "record.every": "0"},
        {"steps": "2", "record.every": "5"},
    ]
    assert points([], config()) == [{}]


def test_values_are_those_of_the_command_line(config):
    assert [one.tau for one in parsed(config, "tau=0.5,-1e-3")] == [0.5, -1e-3]
    assert [one.widths for one in parsed(config, "widths=64,256 128")] == [(64,), (256, 128)]
    assert [one.switch for one in parsed(config, "switch=true,False")] == [True, False]
    assert [one.inner.depth for one in parsed(config, "inner.depth=7")] == [7]
    assert [one.record.instants for one in parsed(config, "record.instants=None,2 5")] == [
        None,
        (2, 5),
    ]


@pytest.mark.parametrize(
    ("grid", "text"),
    [
        (["stps=1"], "got 'stps'. Did you mean steps?"),
        (["inner.dept=1"], "Did you mean inner.depth"),
        (["inner=1"], "must vary a setting of the protocol"),
        (["zzz=1"], "There are seed, device, products, record.every"),
        (["seed=1,2"], "Use --seeds 5 instead"),
        (["steps"], "key=v1,v2,... without gaps; got 'steps'"),
        (["steps="], "without gaps"),
        (["steps=1,,2"], "without gaps"),
        (["steps=1,2, 1"], "sweep.grid steps must have different values; got '1'"),
        (["steps=1", "steps=2"], "name each setting once; got 'steps'"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(config, grid, text):
    with pytest.raises(SettingError, match=re.escape(text)):
        points(grid, config())


def test_values_that_are_no_words_are_refused(config):
    with pytest.raises(SettingError, match=r"sweep\.grid switch must be true or false; got 'yes'"):
        words({"switch": "yes"}, config())
    with pytest.raises(SettingError, match="quotes in pairs"):
        words({"widths": "'3"}, config())


def test_what_the_grid_varies_is_not_given_elsewhere():
    point = {"inner.some_depth": "3"}
    require_not_given(point, ["--inner.depth", "4", "--seeds", "3"])
    for word in ("--inner.some-depth=4", "--inner.some_depth", "--inner.no-some-depth"):
        with pytest.raises(SettingError, match="must not be set elsewhere too"):
            require_not_given(point, ["--other", word])
    with pytest.raises(SettingError, match="--seeds 5"):
        require_not_given({}, ["--seed", "1"])


@pytest.mark.parametrize(
    ("text", "listed"), [("1", [0]), ("3", [0, 1, 2]), ("3,", [3]), ("7, 3,5", [7, 3, 5])]
)
def test_seeds(text, listed):
    assert seeds(text) == listed


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "a", "1,1", "1,01", ",", "1,,2"])
def test_seeds_that_cannot_be_are_refused(text):
    with pytest.raises(SettingError, match=r"sweep\.seeds must be how many"):
        seeds(text)


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=90)), st.text())
def test_file_names_fit_every_file_system_and_tell_all_settings_apart(point, fingerprint):
    safe = {re.sub(r"\W", "x", key): value for key, value in point.items()}
    name = file_name("p", safe, 3, fingerprint)
    assert name == file_name("p", safe, 3, fingerprint)
    assert name != file_name("p", safe, 3, fingerprint + " ")
    assert len(name.encode()) <= 255
    assert not set(name) & set('/\\:*?"<>| \n\0')
    assert name.startswith("p-")
    assert re.search(r"-seed3-[0-9a-f]{8}\.h5$", name)
