"""Settings to JSON and back, exactly: what a run file needs to continue a run."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from neurosim.checks import SettingError

Settings = TypeVar("Settings")


def to_json(settings: Any) -> dict[str, Any]:
    """Turn a settings dataclass into plain JSON values.

    Parameters
    ----------
    settings : dataclass instance
        Nested dataclasses, tuples, lists, mappings, paths, enumerations, numbers, strings, None.

    Returns
    -------
    dict
        Field name to JSON value; `from_json` restores an equal instance.

    Raises
    ------
    SettingError
        If a value has no JSON form, or would not be the same after reading it back.
    """
    stored = _encode(settings, type(settings).__name__)
    assert isinstance(stored, dict)
    restored = from_json(type(settings), stored)
    # The texts count too, because NaN differs from itself.
    if restored != settings and repr(restored) != repr(settings):
        raise SettingError(
            f"{type(settings).__name__} must read back from JSON unchanged; got {restored!r} for "
            f"{settings!r}. Use fields whose type says unambiguously which class they hold."
        )
    return stored


def from_json(kind: type[Settings], stored: Mapping[str, Any]) -> Settings:
    """Restore a settings dataclass from the values of `to_json`.

    Parameters
    ----------
    kind : type
        The dataclass to build.
    stored : mapping
        Field name to JSON value; a field left out takes its default.

    Returns
    -------
    Settings
        An instance of ``kind``.

    Raises
    ------
    SettingError
        If a key is unknown, a required field is missing, or a value has the wrong type.
    """
    if not isinstance(stored, Mapping):
        raise SettingError(f"{kind.__name__} must be stored as a mapping; got {stored!r}.")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    for key in stored:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Its settings: {', '.join(fields)}."
            raise SettingError(f"{kind.__name__} must not contain {key!r}. {hint}")
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in stored and not optional:
            raise SettingError(f"{kind.__name__}.{name} must be given; got nothing.")
    return kind(
        **{key: _decode(hints[key], stored[key], f"{kind.__name__}.{key}") for key in stored}
    )


def _encode(value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(value):
        return {
            field.name: _encode(getattr(value, field.name), f"{where}.{field.name}")
            for field in dataclasses.fields(value)
            if field.init
        }
    if isinstance(value, Enum):
        return _encode(value.value, where)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_encode(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(key): _encode(item, f"{where}[{key!r}]") for key, item in value.items()}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise SettingError(
        f"{where} must be a number, text, a tuple of those or a dataclass; got {value!r}. "
        "Settings are stored as JSON: convert it first."
    )


def _decode(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _decode_union(arguments, value, where)
    if origin is Literal:
        _expect(value in arguments, where, f"be one of {', '.join(map(str, arguments))}", value)
        return value
    if origin in (tuple, list):
        _expect(isinstance(value, list | tuple), where, "be a list", value)
        if origin is list or arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        _expect(len(value) == len(arguments), where, f"have {len(arguments)} entries", value)
        items = zip(arguments, value, strict=True)
        return origin(_decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(items))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _expect(isinstance(value, Mapping), where, "be a mapping", value)
        return {key: _decode(arguments[1], value[key], f"{where}[{key!r}]") for key in value}
    if hint is Any:
        return value
    if hint in (None, type(None)):
        _expect(value is None, where, "be null", value)
        return None
    if dataclasses.is_dataclass(hint):
        _expect(isinstance(value, Mapping), where, "be a mapping", value)
        return from_json(typing.cast(type, hint), value)
    return _decode_plain(hint, value, where)


def _decode_union(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    problems = []
    for argument in arguments:
        if argument is not type(None):
            try:
                return _decode(argument, value, where)
            except SettingError as problem:
                problems.append(problem)
    raise problems[0]


def _decode_plain(hint: Any, value: Any, where: str) -> Any:
    _expect(isinstance(hint, type), where, f"have a type that JSON can hold, not {hint}", value)
    if hint is float and type(value) is int:
        return float(value)  # JSON writers may drop the decimal point
    if issubclass(hint, Enum):
        known = [member.value for member in hint]
        _expect(value in known, where, f"be one of {', '.join(map(str, known))}", value)
        return hint(value)
    if issubclass(hint, Path):
        _expect(isinstance(value, str), where, "be a path", value)
        return hint(value)
    _expect(type(value) is hint, where, f"be of type {hint.__name__}", value)
    return value


def _expect(condition: bool, where: str, rule: str, value: Any) -> None:
    if not condition:
        raise SettingError(f"{where} must {rule}; got {value!r}.")
