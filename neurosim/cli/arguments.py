"""Parse the words of one command with tyro; what it refuses becomes one line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import tyro

from neurosim.checks import NeurosimError, SettingError
from neurosim.protocol import Protocol, ProtocolConfig, available, find

Parsed = TypeVar("Parsed")

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_EDGE = re.compile(r"^[│|]|[│|]$")
_RULE = re.compile(r"[╭╰+]?[─-]{4,}.*$")
_FLAG = re.compile(r"--[\w.-]+")
_WRAPPED = re.compile(r"^Error parsing \w+: ")  # what a dataclass at the top says is its own


def parse(kind: type[Parsed], words: Sequence[str], *, prog: str, description: str) -> Parsed:
    """Fill a dataclass from command line words.

    Parameters
    ----------
    kind : type
        The dataclass; its fields are the options.
    words : sequence of str
        The command line without the command itself.
    prog : str
        The command, as help shows it.
    description : str
        Text above the options in help.

    Returns
    -------
    Parsed
        An instance of ``kind``.

    Raises
    ------
    SettingError
        If an option is unknown or its value does not fit.
    SystemExit
        With code 0, after help was printed.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, args=list(words), prog=prog, description=description)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise SettingError(f"{_one_line(complaint.getvalue())} See: {prog} --help") from None
    except NeurosimError:
        raise
    except (ValueError, TypeError) as error:  # a dataclass that checks its own fields
        raise SettingError(f"{error} See: {prog} --help") from error


def protocol_asked(command: str, words: Sequence[str], about: str, example: str) -> Protocol | None:
    """The protocol that a command's words begin with; None if they asked for help and got it.

    Parameters
    ----------
    command : str
        Of neurosim, such as ``run``.
    words : sequence of str
        What follows it.
    about : str
        Help, which the list of protocols is added to.
    example : str
        Words that would do.

    Raises
    ------
    SettingError
        If there is no protocol, or none of that name.
    """
    if words and words[0] in ("-h", "--help"):
        print(about, *(f"  {name:<24} {line}" for name, line in available()), sep="\n")
        return None
    if not words or words[0].startswith("-"):
        raise SettingError(
            f"{command} must be given a protocol first; got {words[0] if words else 'nothing'}. "
            f"For example: neurosim {command} {example} (neurosim list shows them all)."
        )
    return find(words[0])


def parse_with_settings(
    options: type[Parsed], protocol: Protocol, words: Sequence[str], *, command: str
) -> tuple[Parsed, ProtocolConfig]:
    """Fill the options of a command and the settings of a protocol from one command line.

    Parameters
    ----------
    options : type
        The dataclass of the command's options.
    protocol : Protocol
        The protocol, whose settings become options as well.
    words : sequence of str
        The protocol as the user gave it, then the rest of the command line.
    command : str
        The command, as help shows it.

    Returns
    -------
    options : Parsed
        An instance of ``options``.
    settings : ProtocolConfig
        An instance of the protocol's ``Config``.

    Raises
    ------
    SettingError
        If an option is unknown, its value does not fit, or the protocol uses a name of ours.
    SystemExit
        With code 0, after help was printed.
    """
    taken = {field.name for field in dataclasses.fields(options)} | {"debug", "help"}  # type: ignore[arg-type]
    for field in dataclasses.fields(protocol.config):
        if field.name in taken:
            raise SettingError(
                f"Config.{field.name} of protocol {protocol.name} must be named differently: "
                f"--{field.name} is an option of neurosim {command}."
            )
    unnamed = tyro.conf.arg(name="")
    both = dataclasses.make_dataclass(
        "Arguments",
        [
            ("options", Annotated[options, unnamed]),
            ("config", Annotated[protocol.config, unnamed]),
        ],
    )
    parsed: Any = parse(
        both,
        words[1:],
        prog=f"neurosim {command} {words[0]}",
        description=(sys.modules[protocol.config.__module__].__doc__ or protocol.name).strip(),
    )
    return parsed.options, parsed.config


def _one_line(box: str) -> str:
    """Read the sentence, and the first suggestion, out of the box tyro draws around an error."""
    lines = [line.strip() for line in _ANSI.sub("", box).splitlines()[1:]]
    inside = [_RULE.sub("", _EDGE.sub("", line).strip()) for line in lines]
    sections = " ".join(line or "\n" for line in inside).split("\n")
    texts = [" ".join(section.split()) for section in sections if section.strip()]
    # A dataclass that has no command line form is explained below the first sentence.
    told = " ".join(texts) if "tyro.cli" in box else texts[0].rstrip(".")
    sentence = _WRAPPED.sub("", told)
    suggestion = next((text for text in texts if text.startswith("Perhaps you meant")), "")
    flag = _FLAG.search(suggestion)
    return f"{sentence}." + (f" Did you mean {flag.group()}?" if flag else "")
