"""A small deterministic run that resumes whatever it finds; the tests interrupt it.

Run as ``python walk_program.py FILE STEPS [FILE_SIZE_LIMIT]``.
"""

import sys
from pathlib import Path

import numpy as np

from neurosim.recording import Recorder, RecordSettings

CHECKPOINT_EVERY = 40


def walk(path, steps, *, stop=None, record=None):
    """A random walk of three numbers; with ``stop`` it is left unfinished after so many steps."""
    partial = Path(f"{path}.partial")
    if partial.exists() or Path(f"{partial}.checkpoint").exists():
        recorder = Recorder.resume(path)
    else:
        settings = {"steps": steps}
        recorder = Recorder.create(path, protocol="walk", settings=settings, seed=7, record=record)
    with recorder:
        # Fewer rows are announced than come, so that chunks are small and there are many.
        presentations = {"axes": ("presentation",), "rows": 50}
        recorder.declare("events/index", shape=(), dtype="i4", unit="1", **presentations)
        recorder.declare(
            "layers/layer1/state",
            shape=(3,),
            dtype="f8",
            unit="Hz",
            axes=("presentation", "neuron"),
            rows=50,
            coordinates={"neuron": [4, 5, 6], "presentation": "events/index"},
        )
        recorder.declare_history({"presentations": "1", "test_accuracy": "1"})
        recorder.begin()
        state, rng, start = np.zeros(3), np.random.default_rng(recorder.settings["steps"]), 0
        if recorder.checkpoint is not None:
            state = recorder.checkpoint.arrays["layer1/weights"]
            start = recorder.checkpoint.position["presentations"]
            rng.bit_generator.state = recorder.checkpoint.position["rng"]
        for i in range(start, steps if stop is None else stop):
            state = 0.9 * state + rng.normal(size=3)
            recorder.append("events/index", np.array([i]))
            recorder.append("layers/layer1/state", state[None])
            if (i + 1) % 10 == 0:
                recorder.note(presentations=i + 1)
                recorder.flush()
            if (i + 1) % CHECKPOINT_EVERY == 0:
                position = {"presentations": i + 1, "rng": rng.bit_generator.state}
                recorder.save_checkpoint({"layer1/weights": state}, position)
        if stop is None:
            summary = {"presentations": steps, "test_accuracy": 0.5}
            recorder.finish(summary, {"layer1": state})


if __name__ == "__main__":
    if len(sys.argv) > 3:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
    walk(sys.argv[1], int(sys.argv[2]), record=RecordSettings(compression="gzip"))
