"""Many runs: skipped, resumed, failed, killed, interrupted."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import signal
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from neurosim import cli
from neurosim.checks import RunFileError, SettingError
from neurosim.progress import Progress
from neurosim.protocol import find
from neurosim.recording import Run
from neurosim.recording.files import RunPaths, WriterLock, in_use
from neurosim.sweep import Job, run_jobs
from neurosim.sweep.child import Ending, Task, Wanted
from neurosim.sweep.existing import fingerprint
from neurosim.sweep.workers import local

pytestmark = pytest.mark.usefixtures("protocol")


def jobs(*seeds: int, **settings) -> list[Job]:
    kind = find("./adding.py").config
    return [
        Job(
            protocol="./adding.py", settings=kind(seed=seed, **settings), out=Path(f"out/{seed}.h5")
        )
        for seed in seeds
    ]


def by_hand(name: str, *words: str) -> None:
    assert cli.main(["run", "./adding.py", "--quiet", "--out", name, *words]) == 0


def when(condition, action) -> threading.Thread:
    """Do something as soon as something is so."""

    def watch():
        while not condition():
            time.sleep(0.01)
        action()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_failure_is_told_and_tried_again_and_what_is_finished_is_found_by_its_settings():
    Path("fail1").touch()
    Path("warn").touch()
    shown = io.StringIO()
    with Progress(stream=shown, unit="runs") as progress:
        outcomes = run_jobs(jobs(0, 1), workers=2, progress=progress)
    good, bad = outcomes
    assert (good.status, good.path, good.error) == ("finished", Path("out/0.h5"), None)
    assert (bad.status, bad.error) == ("failed", "Data.file must exist; got nothing. Provide it.")
    assert sorted(os.listdir("out")) == ["0.h5"]  # a run that recorded nothing leaves nothing
    lines = shown.getvalue().splitlines()
    assert "finished 0.h5: test accuracy 50.00%" in lines
    assert lines.count("0.h5: warning: Layer 2 is silent.") == 1
    assert [line.endswith("tried again later.") for line in lines if "failed 1.h5" in line] == [
        True,
        False,
    ]
    assert lines[-1].startswith("sweep: 2/2 runs")
    assert {"best 0.5", "running 0", "waiting 0", "failed 1"} <= set(lines[-1].split(", "))

    Path("fail1").unlink()
    Path("out/below").mkdir()
    shutil.move("out/0.h5", "out/below/renamed.h5")
    good, healed = run_jobs(jobs(0, 1), retries=0)
    assert (good.status, good.path) == ("skipped", Path("out/below/renamed.h5"))
    assert healed.status == "finished"
    with Run("out/1.h5") as run:
        assert (run.seed, run.protocol, run.settings["widths"]) == (1, "adding", [2, 3])
        assert run.provenance["protocol_file"] == "../adding.py"


def test_a_killed_run_goes_on_from_its_checkpoint():
    Path("die").touch()
    (outcome,) = run_jobs(jobs(2), retries=0)
    assert (outcome.status, outcome.error) == ("failed", "Killed by SIGKILL.")
    shutil.move("out/2.h5.partial", "out/other.h5.partial")
    shutil.move("out/2.h5.partial.checkpoint", "out/other.h5.partial.checkpoint")
    (outcome,) = run_jobs(jobs(2))
    assert (outcome.status, outcome.path) == ("finished", Path("out/other.h5"))
    by_hand("whole.h5", "--seed", "2")
    with Run("whole.h5") as whole, Run("out/other.h5") as resumed:
        assert resumed.weights_digest == whole.weights_digest
        assert list(resumed.history["presentations"]) == [1, 2, 3]
        assert len(resumed.provenance["resumes"]) == 1


def test_a_signal_leaves_checkpoints_and_the_same_call_continues():
    Path("hang").touch()
    under_way = RunPaths.of("out/0.h5").checkpoint
    thread = when(under_way.exists, lambda: os.kill(os.getpid(), signal.SIGINT))
    outcomes = run_jobs(jobs(0, 1), workers=1)
    thread.join()
    assert [outcome.status for outcome in outcomes] == ["interrupted", "interrupted"]
    assert under_way.exists()
    assert not list(Path("out").glob("1.h5*"))
    Path("hang").unlink()
    assert [outcome.status for outcome in run_jobs(jobs(0, 1), workers=2)] == ["finished"] * 2
    with Run("out/0.h5") as run:
        assert len(run.provenance["resumes"]) == 1


def test_a_run_that_does_not_stop_when_asked_is_killed_when_the_caller_gives_up():
    Path("hang").touch()
    Path("stubborn").touch()
    path = Path("out/0.h5").resolve()
    header = {
        "protocol": "adding",
        "settings": {"seed": 0},
        "seed": 0,
        "extra_provenance": {"protocol_file": "../adding.py"},
    }
    task = Task(runs=(Wanted(path, header),), threads=1, folder=Path.cwd())
    futures: list[Future[list[Ending]]] = []

    def give_up():
        with local(1) as crew:
            futures.extend([crew.submit(task), crew.submit(task)])
            while not RunPaths.of(path).checkpoint.exists():
                time.sleep(0.01)
            crew.stop()
            assert not futures[0].done()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert [future.result() for future in futures] == [[Ending("interrupted")]] * 2
    assert not in_use(RunPaths.of(path).partial)


def test_runs_made_by_hand_count_and_edits_of_the_protocol_are_told(protocol):
    by_hand("out/mine.h5", "--steps", "2")
    (outcome,) = run_jobs(jobs(0, steps=2))
    assert (outcome.status, outcome.path) == ("skipped", Path("out/mine.h5"))
    protocol.write_text(protocol.read_text() + "\n# edited\n")
    with pytest.warns(UserWarning, match=r"1 of the runs found began.*mine\.h5"):
        assert run_jobs(jobs(0, steps=2))[0].status == "skipped"


def test_settings_that_came_later_take_their_default_in_older_runs(protocol):
    text = protocol.read_text()
    protocol.write_text(text.replace("    tau: float = 1.0\n", ""))
    by_hand("out/0.h5")
    protocol.write_text(text)
    with pytest.warns(UserWarning, match="edited"):
        assert run_jobs(jobs(0))[0].status == "skipped"
    with pytest.raises(RunFileError, match=r"out/0\.h5, which is damaged or something else"):
        run_jobs(jobs(0, tau=2.0))


def test_fingerprints_tell_equal_settings_from_others():
    protocol = find("./adding.py")
    same = [{"seed": 1}, {"tau": 1, "seed": 1}, {"seed": 1, "inner": {"depth": 2}}]
    other = [{"seed": 2}, {"seed": 1, "widths": [2]}, {"seed": 1, "inner": {"depth": 3}}]
    assert len({fingerprint(protocol, settings) for settings in same}) == 1
    assert len({fingerprint(protocol, settings) for settings in [same[0], *other]}) == 4


def test_what_cannot_be_is_refused_before_anything_starts():
    one, two = jobs(0, 1)
    for both, text in [
        ([one, dataclasses.replace(one, out=Path("out/b.h5"))], "have different settings"),
        ([one, dataclasses.replace(two, out=Path("out/../out/0.h5"))], "have different files"),
        ([one, dataclasses.replace(two, protocol="no_such")], "no_such"),
    ]:
        with pytest.raises(SettingError, match=text):
            run_jobs(both)
    for number in ({"workers": 0}, {"retries": -1}):
        with pytest.raises(SettingError, match=r"must be at least"):
            run_jobs([one], **number)
    with pytest.raises(SettingError, match=r"sweep\.scheduler must be"):
        run_jobs(
            [one, dataclasses.replace(two, out=Path("a/b/c.h5"))], scheduler="nonsense://nowhere"
        )
    assert not Path("out").exists()
    assert not Path("a").exists()
    Path("out").mkdir()
    Path("out/0.h5.partial").write_bytes(b"not a run")
    with pytest.raises(RunFileError, match=r"out/0\.h5, which is damaged"):
        run_jobs([one, two])
    assert os.listdir("out") == ["0.h5.partial"]


def test_two_sweeps_in_one_folder_do_not_fight():
    Path("out").mkdir()
    lock = WriterLock(Path("out"))
    with pytest.raises(RunFileError, match=r"no other sweep is using; got .*out"):
        run_jobs(jobs(0))
    lock.release()
    assert os.listdir("out") == []


@pytest.mark.slow
def test_a_cluster_makes_the_same_runs():
    distributed = pytest.importorskip("distributed")
    Path("fail1").touch()
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        outcomes = run_jobs(jobs(0, 1, 2), scheduler=cluster.scheduler_address)
        assert [outcome.status for outcome in outcomes] == ["finished", "failed", "finished"]
        assert outcomes[1].error == "Data.file must exist; got nothing. Provide it."
        Path("hang").touch()
        under_way = RunPaths.of("out/5.h5").checkpoint
        thread = when(under_way.exists, lambda: os.kill(os.getpid(), signal.SIGINT))
        (outcome,) = run_jobs(jobs(5), scheduler=cluster.scheduler_address)
        thread.join()
        assert outcome.status == "interrupted"
        assert under_way.exists()
