"""The command line: ``neurosim run | resume | info | plot | list``."""

from neurosim.cli.entry import main

__all__ = ["main"]
