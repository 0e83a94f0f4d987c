"""The command line: ``neurosim run | sweep | resume | info | plot | compare | list``."""

from neurosim.cli.entry import main

__all__ = ["main"]
