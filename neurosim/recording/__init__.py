"""One HDF5 file a run: written by `Recorder`, read by `Run`."""

from neurosim.recording.checkpoint import Checkpoint
from neurosim.recording.recorder import Recorder
from neurosim.recording.run import Run, Trace
from neurosim.recording.settings import RecordSettings

__all__ = ["Checkpoint", "RecordSettings", "Recorder", "Run", "Trace"]
