"""Runs that share a process: each ends in its own way, whatever happens to the others."""

from __future__ import annotations

import io
import itertools
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from neurosim import cli
from neurosim.checks import SettingError
from neurosim.interruption import Interruption
from neurosim.progress import Progress
from neurosim.protocol import find, to_json
from neurosim.protocol.origin import origin_of
from neurosim.recording import Recorder, Run
from neurosim.recording.files import RunPaths
from neurosim.sweep import Job, run_jobs
from neurosim.sweep.child import Wanted
from neurosim.sweep.jobs import _tasks
from neurosim.testing import pretend_device

# Computes nothing on its device: what is tested is who runs with whom, and how each ends. Files
# named after what should go wrong tell the runs so.
PROTOCOL = '''"""Add up random numbers, many runs at once."""

from __future__ import annotations

import os
import signal
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from neurosim.checks import DivergenceError, Interrupted
from neurosim.interruption import Interruption
from neurosim.protocol import ProtocolConfig
from neurosim.seeds import Seeds


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    steps: int = 3
    devices: ClassVar[tuple[str, ...]] = ("cpu", "gpu")
    ensembles: ClassVar[bool] = True


def run(config, recorder):
    recorder.declare_history({"presentations": ""})
    recorder.begin()
    if Path("warn").exists():
        for _ in range(2):
            warnings.warn(f"Layer {config.seed % 2} is silent.")
    past = recorder.checkpoint
    first, total = (past.position["step"], past.arrays["total"]) if past else (0, np.zeros(1))
    with Interruption() as interruption:
        for step in range(first, config.steps):
            total = total + Seeds(config.seed).generator(f"step{step}").random()
            recorder.note(presentations=step + 1)
            recorder.save_checkpoint({"total": total}, {"step": step + 1})
            if Path(f"fail{config.seed}").exists():
                raise DivergenceError("layer1 diverged.")
            if step == 0 and Path(f"bug{config.seed}").exists():
                Path(f"bug{config.seed}").unlink()
                raise ZeroDivisionError("add")
            if Path(f"die{config.seed}").exists():
                while not Path("out/0.h5").exists():
                    time.sleep(0.01)
                Path(f"die{config.seed}").unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            while Path("deaf").exists():
                time.sleep(0.01)
            while Path("hang").exists() and not interruption.requested:
                time.sleep(0.01)
            if interruption.requested:
                raise Interrupted(f"Interrupted after {step + 1}. It can be resumed.")
    recorder.finish(
        {"test_accuracy": 0.5 + config.seed / 10, "process": os.getpid()}, {"total": total}
    )
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adding.py").write_text(PROTOCOL)
    with pretend_device():
        yield tmp_path


def jobs(*seeds, **settings):
    kind = find("./adding.py").config
    return [
        Job(
            protocol="./adding.py",
            settings=kind(seed=seed, **{"device": "gpu"} | settings),
            out=Path(f"out/{seed}.h5"),
        )
        for seed in seeds
    ]


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)


def process(seed):
    with Run(f"out/{seed}.h5") as run:
        return run.summary["process"]


def totals(*seeds):
    found = []
    for seed in seeds:
        with Run(f"out/{seed}.h5") as run:
            found.append(run.weights("total").item())
    return found


def alone(*seeds):
    """The same, of runs made one by one."""
    found = []
    for seed in seeds:
        assert cli.main(["run", "./adding.py", "--quiet", "--seed", f"{seed}", "--out", "a.h5",
                         "--overwrite"]) == 0  # fmt: skip
        with Run("a.h5") as run:
            found.append(run.weights("total").item())
    return found


def test_runs_share_processes_as_many_as_they_may():
    Path("warn").touch()
    Path("fail1").touch()
    shown = io.StringIO()
    clock = itertools.count(0, 10**6).__next__  # every update is due
    with Progress(stream=shown, unit="runs", clock=clock) as progress:
        outcomes = run_jobs(jobs(0, 1, 2, 3), replicas=3, retries=0, progress=progress)
    assert [outcome.status for outcome in outcomes] == ["finished", "failed", *["finished"] * 2]
    assert outcomes[1].error == "layer1 diverged."
    assert process(0) == process(2) != process(3)
    Path("warn").unlink()
    assert totals(0, 2, 3) == alone(0, 2, 3)
    lines = shown.getvalue().splitlines()
    for seed in (0, 1, 2):
        assert lines.count(f"{seed}.h5: warning: Layer {seed % 2} is silent.") == 1
    assert lines.count("failed 1.h5: layer1 diverged.") == 1
    figures = [line.split(", ") for line in lines if line.startswith("sweep: ")]
    assert {"running 3", "waiting 1"} <= set(figures[0])
    assert {"running 0", "waiting 0", "failed 1"} <= set(figures[-1])


def test_one_fails_and_is_tried_again_alone():
    Path("bug1").touch()
    shown = io.StringIO()
    with Progress(stream=shown, unit="runs") as progress:
        outcomes = run_jobs(jobs(0, 1), replicas=64, progress=progress)
    assert [outcome.status for outcome in outcomes] == ["finished"] * 2
    assert process(1) != process(0)
    assert totals(0, 1) == alone(0, 1)
    lines = shown.getvalue().splitlines()
    (told,) = [line for line in lines if line.startswith("failed")]
    assert told.startswith("failed 1.h5: ZeroDivisionError: add (adding.py:")
    assert told.endswith("It is tried again later.")


def test_only_what_can_share_a_gpu_does():
    cpu, (one, two) = jobs(0, device="cpu")[0], jobs(1, 2)
    rough = jobs(3, products="tf32")[0]
    left = [(job, Wanted(job.out, {})) for job in (one, cpu, rough, two)]
    packs = [[run.path.stem for run in task.runs] for task in _tasks(left, 64, 1)]
    assert packs == [["1", "2"], ["0"], ["3"]]


def test_a_process_that_dies_takes_those_with_it_that_were_not_finished():
    Path("die1").touch()
    shown = io.StringIO()
    with Progress(stream=shown, unit="runs") as progress:
        outcomes = run_jobs(jobs(0, 1), replicas=2, progress=progress)
    assert [outcome.status for outcome in outcomes] == ["finished"] * 2
    told = [line for line in shown.getvalue().splitlines() if line.startswith("failed")]
    assert told == ["failed 1.h5: Killed by SIGKILL. It is tried again later."]
    assert totals(1) == alone(1)


def test_a_signal_leaves_every_checkpoint_and_what_is_unfinished_goes_on_together():
    words = ["--quiet", "--device", "gpu", "--seed", "1", "--out", "out/1.h5"]
    assert cli.main(["run", "./adding.py", *words]) == 0
    Path("hang").touch()
    under_way = [RunPaths.of(f"out/{seed}.h5").checkpoint for seed in (0, 2)]

    def stop():
        wait_for(lambda: all(path.exists() for path in under_way))
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop, daemon=True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        thread.start()
        outcomes = run_jobs(jobs(0, 1, 2), replicas=2)
        thread.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [outcome.status for outcome in outcomes] == ["interrupted", "skipped", "interrupted"]
    assert all(path.exists() for path in under_way)
    Path("hang").unlink()
    outcomes = run_jobs(jobs(0, 1, 2, 3), replicas=3)
    assert [o.status for o in outcomes] == ["finished", "skipped", "finished", "finished"]
    assert process(0) == process(2) == process(3)
    assert totals(0, 2) == alone(0, 2)


def test_a_machine_without_a_gpu_is_told_before_anything_starts(capsys):
    from neurosim.backend import cupy_or_none, standing_in

    with standing_in(None):  # whatever stands in for a device here
        if cupy_or_none() is not None:
            pytest.skip("there is a GPU")
        words = ["./adding.py", "--device", "gpu", "--seeds", "3", "--out", "out"]
        assert cli.main(["sweep", *words]) == 2
        assert cli.main(["sweep", *words, "--replicas", "0"]) == 2
        with pytest.raises(SettingError, match=r"Config\.device must be available"):
            run_jobs(jobs(0))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: Config.device must be available on this machine; got 'gpu'.")
    assert second.startswith("error: run_jobs.replicas must be at least 1; got 0")
    assert not Path("out").exists()


def test_runs_that_cannot_share_a_gpu_are_resumed_one_by_one(capsys):
    Path("fail0").touch()
    Path("fail1").touch()
    for seed in ("0", "1"):
        words = ["--seed", seed, "--out", f"{seed}.h5"]
        assert cli.main(["run", "./adding.py", *words]) == 2
    assert cli.main(["run", "./adding.py", "--seed", "2", "--out", "2.h5", "--quiet"]) == 0
    capsys.readouterr()
    assert cli.main(["resume", "0.h5", "1.h5.partial", "2.h5"]) == 1
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("0.h5: error: resume.files must be one file, or runs on a GPU")
    assert second.startswith("1.h5.partial: error: resume.files must be")
    assert third == "2.h5: finished"
    Path("fail0").unlink()
    assert cli.main(["resume", "0.h5"]) == 0  # nobody holds its lock any more
    assert cli.main(["resume"]) == 2
    assert "resume.files must name a run file" in capsys.readouterr().err


def test_a_second_signal_ends_the_process_though_runs_do_not_listen(monkeypatch, capsys):
    monkeypatch.setattr("neurosim.cli.together._GRACE", 0.1)
    Path("deaf").touch()
    protocol, files = find("./adding.py"), []
    for job in jobs(0, 1):
        Recorder.create(
            job.out, protocol=protocol.name, settings=to_json(job.settings),
            seed=job.settings.seed, extra_provenance=origin_of(protocol, job.out),
        ).close()  # fmt: skip
        files.append(RunPaths.of(job.out))

    def insist():
        wait_for(lambda: all(paths.checkpoint.exists() for paths in files))
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: Interruption().requested)
        os.kill(os.getpid(), signal.SIGINT)

    others = set(threading.enumerate())
    threading.Thread(target=insist, daemon=True).start()
    assert cli.main(["resume", *(str(paths.partial) for paths in files)]) == 130
    assert capsys.readouterr().err == "Interrupted by Ctrl-C or a signal.\n"
    Path("deaf").unlink()  # a process of its own would have ended
    for thread in set(threading.enumerate()) - others:
        thread.join(60)
    assert cli.main(["resume", str(files[1].final), "--quiet"]) == 0
    assert totals(1) == alone(1)
