"""How the scripts of this folder are called from the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tyro

from neurosim.cli.entry import guarded


def call(main: Callable[..., None], argv: Sequence[str] | None = None) -> int:
    """Call ``main`` with arguments from the command line; errors and exit codes of `neurosim`."""
    return guarded(lambda words: tyro.cli(main, args=words), argv)
