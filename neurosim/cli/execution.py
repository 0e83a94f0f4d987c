"""A run that is ready to go: what is made of a command line or of an interrupted run's file."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from neurosim.checks import Interrupted, RunFileError
from neurosim.cli.summary import print_summary
from neurosim.progress import silenced
from neurosim.protocol import Protocol, ProtocolConfig, find, from_json
from neurosim.protocol.origin import holds_nothing, protocol_of, was_edited
from neurosim.recording import Recorder, Run
from neurosim.recording.files import RunPaths


class Execution(NamedTuple):
    """Everything a run needs.

    Parameters
    ----------
    protocol : Protocol
        What to run.
    config : ProtocolConfig
        Its settings.
    recorder : Recorder
        Writes the run file; closed at the end, whatever happens.
    """

    protocol: Protocol
    config: ProtocolConfig
    recorder: Recorder

    @property
    def paths(self) -> RunPaths:
        """Its files."""
        return RunPaths(self.recorder.path)

    def show(self, *, quiet: bool) -> None:
        """Run, and say what came of it: a summary, or only the file's name."""
        began, whole = time.monotonic(), self.recorder.checkpoint is None
        self.work(quiet=quiet)
        if quiet:
            print(self.paths.final)
        else:
            print_summary(self.paths.final, seconds=time.monotonic() - began, whole=whole)

    def work(self, *, quiet: bool) -> None:
        """Run; an error is given a note if something of the run is kept."""
        paths = self.paths
        try:
            with self.recorder, silenced(quiet), self.protocol.importable():
                self.protocol.run(self.config, self.recorder)
            if paths.partial.exists():
                raise RunFileError(
                    f"Protocol {self.protocol.name} must end with recorder.finish(summary, "
                    "weights); got a run that was not finished."
                )
        except BaseException as error:
            kept = paths.partial.exists() and not holds_nothing(paths)
            if kept and paths.final.name not in str(error):
                error.add_note(f"What was recorded is kept: {paths.partial}.")
                if isinstance(error, Interrupted | KeyboardInterrupt):
                    error.add_note(f"Continue with: neurosim resume {paths.partial}")
            raise


def reopen(
    file: Path,
    *,
    tell: Callable[[str], None],
    load: Callable[[str | Path], Protocol] = find,
) -> Execution:
    """Get an interrupted run ready to go on.

    Parameters
    ----------
    file : Path
        One of its names.
    tell : callable
        Takes a warning.
    load : callable
        `find`, or what answers like it.

    Returns
    -------
    Execution

    Raises
    ------
    RunFileError, SettingError
        If there is nothing to go on from, or no such protocol any more.
    """
    with contextlib.ExitStack() as closing:
        recorder = closing.enter_context(Recorder.resume(file))
        paths = RunPaths(recorder.path)
        with contextlib.ExitStack() as reading:
            # The checkpoint's header is there even if the partial file is beyond reading.
            checkpoint = recorder.checkpoint
            origin = checkpoint.header if checkpoint else reading.enter_context(Run(paths.partial))
            protocol = protocol_of(origin, paths.final, load)
            if was_edited(origin, protocol):
                tell(f"warning: {protocol.path.name} was edited since the run began")
        config = from_json(protocol.config, recorder.settings)
        closing.pop_all()  # whoever executes it closes the recorder
        return Execution(protocol, config, recorder)
