"""The command ``list``: what can be run, on what, with which rules."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass

import tyro

from neurosim.cli.arguments import parse
from neurosim.cli.summary import print_columns
from neurosim.protocol import available


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """Options of ``neurosim list``."""

    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON."""


def list_command(words: Sequence[str]) -> int:
    """List protocols, data sets and plasticity rules."""
    options = parse(
        ListOptions,
        words,
        prog="neurosim list",
        description="List protocols, data sets and plasticity rules.",
    )
    from neurosim import data
    from neurosim.plasticity import RULES

    protocols = available()
    sources = [(s.name, s.description, s.present()) for s in data.available()]
    rules = [(name, (inspect.getdoc(rule) or "").split("\n")[0]) for name, rule in RULES.items()]
    if options.json:
        listing = {
            "protocols": [{"name": n, "description": d} for n, d in protocols],
            "data": [{"name": n, "description": d, "present": p} for n, d, p in sources],
            "rules": [{"name": n, "description": d} for n, d in rules],
        }
        print(json.dumps(listing, indent=2))
        return 0
    print_columns("protocols", protocols)
    presence = {True: "", False: "(fetched when first used)"}
    print_columns("data sets", [(n, d, presence[p]) for n, d, p in sources])
    print_columns("plasticity rules", rules)
    return 0
