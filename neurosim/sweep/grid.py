"""A grid as it is written on the command line: ``key=v1,v2``, and the files of its runs."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from neurosim.checks import SettingError, require

Point = dict[str, str]  # setting -> its value, as written

_LONGEST = 120  # characters of a readable name; some file systems allow 143


def points(grid: Sequence[str], settings: Any) -> list[Point]:
    """Every combination of the values of a grid, the last setting varying fastest.

    Parameters
    ----------
    grid : sequence of str
        ``key=v1,v2,...`` each; a value of several words, such as a tuple, separates them by blanks.
    settings : dataclass instance
        The protocol's settings, which say what there is to vary.

    Returns
    -------
    list of dict
        Setting to value as written; one empty combination if there is no grid.

    Raises
    ------
    SettingError
        If a setting is unknown, varied twice or the seed; a value is missing or there twice.
    """
    axes: dict[str, list[str]] = {}
    for text in grid:
        key, equals, values = text.partition("=")
        key, listed = key.strip().replace("-", "_"), [value.strip() for value in values.split(",")]
        require(bool(equals and all(listed)), "sweep.grid", "be key=v1,v2,... without gaps", text)
        _require_key(key, settings)
        require(key not in axes, "sweep.grid", "name each setting once", key)
        twice = next((value for value in listed if listed.count(value) > 1), None)
        require(twice is None, f"sweep.grid {key}", "have different values", twice)
        axes[key] = listed
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def seeds(text: str) -> list[int]:
    """The seeds that ``5`` (0 to 4), ``3,5,7`` or ``3,`` (only 3) stands for.

    Parameters
    ----------
    text : str
        A number of seeds, or seeds separated by commas.

    Returns
    -------
    list of int
        The seeds.

    Raises
    ------
    SettingError
        If it is neither, or a seed is there twice.
    """
    parts = [part.strip() for part in text.removesuffix(",").split(",")]
    usable = all(part.isdecimal() for part in parts) and len(set(map(int, parts))) == len(parts)
    listed = list(map(int, parts)) if usable else []
    if usable and "," not in text:
        listed = list(range(listed[0]))
    require(
        bool(listed),
        "sweep.seeds",
        "be how many (5 for 0 to 4) or which (3,5,7; 3, for one), each once",
        text,
    )
    return listed


def words(point: Point, settings: Any) -> list[str]:
    """A combination as options of ``neurosim run``.

    Parameters
    ----------
    point : dict
        One of `points`.
    settings : dataclass instance
        The protocol's settings; they tell switches from options with a value.

    Returns
    -------
    list of str
        Command line words.

    Raises
    ------
    SettingError
        If a value is not readable as words, or that of a switch is not true or false.
    """
    options: list[str] = []
    for key, value in point.items():
        if isinstance(_leaves(settings)[key], bool):
            known = {"true": 0, "false": 1}
            require(value.lower() in known, f"sweep.grid {key}", "be true or false", value)
            options.append(flags(key)[known[value.lower()]])
            continue
        try:
            parts = shlex.split(value)
        except ValueError as error:
            raise SettingError(
                f"sweep.grid {key} must have quotes in pairs; got {value!r}."
            ) from error
        # With the equality sign, a value may begin with a minus.
        options += [f"--{key}={parts[0]}"] if len(parts) == 1 else [f"--{key}", *parts]
    return options


def flags(key: str) -> tuple[str, str]:
    """The option that gives a setting, and the one that switches it off."""
    parent, dot, name = key.rpartition(".")
    return f"--{key}", f"--{parent}{dot}no-{name}"


def require_not_given(point: Point, given: Sequence[str]) -> None:
    """Refuse words that give a setting which the grid varies, or the seed.

    Parameters
    ----------
    point : dict
        A combination of the grid.
    given : sequence of str
        The words of the command line.

    Raises
    ------
    SettingError
        Naming the option.
    """

    def plain(option: str) -> str:
        return option.partition("=")[0].removeprefix("--").replace("-", "_")

    options = {plain(word): word for word in given if word.startswith("--")}
    require("seed" not in options, "sweep", "be given seeds", "--seed", "Use: --seeds 5")
    for key in point:
        both = [options[plain(flag)] for flag in flags(key) if plain(flag) in options]
        require(not both, f"sweep.grid {key}", "not be set elsewhere too", " ".join(both))


def file_name(protocol: str, point: Point, seed: int, fingerprint: str) -> str:
    """A name that tells runs apart for people, and by eight digits for certain.

    Parameters
    ----------
    protocol : str
        The protocol's name.
    point : dict
        What the grid varies.
    seed : int
        The run's seed.
    fingerprint : str
        Text that stands for all settings.

    Returns
    -------
    str
        Such as ``quickstart-epochs=3-seed0-1f8b06c2.h5``; the same for the same arguments.
    """
    varied = [f"{key}={re.sub(r'[^a-zA-Z0-9.+-]+', '_', value)}" for key, value in point.items()]
    stem = "-".join([protocol, *varied])[:_LONGEST]
    digits = hashlib.sha256(fingerprint.encode()).hexdigest()[:8]
    return f"{stem}-seed{seed}-{digits}.h5"


def _require_key(key: str, settings: Any) -> None:
    advice = "Use --seeds 5 instead."
    require(key != "seed", "sweep.grid", "vary a setting other than the seed", key, advice)
    known = _leaves(settings)
    close = ", ".join(difflib.get_close_matches(key, known, n=3, cutoff=0.5))
    hint = f"Did you mean {close}?" if close else f"There are {', '.join(known)}."
    require(key in known, "sweep.grid", "vary a setting of the protocol", key, hint)


def _leaves(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted name and value of every setting."""

    def walk() -> Iterator[tuple[str, Any]]:
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            if dataclasses.is_dataclass(value):
                yield from _leaves(value, f"{prefix}{field.name}.").items()
            elif field.init:
                yield f"{prefix}{field.name}", value

    return dict(walk())
