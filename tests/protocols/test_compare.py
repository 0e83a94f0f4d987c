"""The protocol that compares rules and modes: what it runs, writes, refuses and resumes."""

import json

import numpy as np
import pytest

from neurosim import Recorder, Run
from neurosim.checks import SettingError
from neurosim.cli import main
from neurosim.protocol import find, to_json
from neurosim.sweep import Outcome
from protocols import _arms as presets
from protocols.pogodin2020_stream import Config as Streaming
from protocols.pogodin2020_table1 import Config as Batches

TINY = [
    *("--dataset", "clusters", "--train", "320", "--epochs", "1", "--evaluations", "2"),
    *("--widths", "64", "--threads", "1", "--quiet", "--alignment", "40", "--probe", "100"),
]
ARMS = [
    *("--arms", "two-point", "backprop", "--override", "backprop:batch=16"),
    *("two-point:groups=8", "two-point:remembered=2"),
]
SUFFIXES = (".png", ".svg", ".csv", ".md", ".json")


class Here:
    """Makes runs in this process, as `run_jobs` does in others, up to a number of them."""

    def __init__(self):
        self.limit, self.made, self.failing = 100, [], None

    def __call__(self, jobs, **options):
        assert options["workers"] == 1
        return [self.outcome(job) for job in jobs]

    def outcome(self, job):
        if job.out.exists():
            return Outcome(job=job, status="skipped", path=job.out, error=None)
        if self.failing and self.failing in job.out.name:
            return Outcome(job=job, status="failed", path=job.out, error="Too tired.")
        if len(self.made) == self.limit:
            return Outcome(job=job, status="interrupted", path=job.out, error=None)
        settings, protocol = job.settings, find(job.protocol)
        job.out.parent.mkdir(exist_ok=True)
        with Recorder.create(
            job.out, protocol=job.protocol, settings=to_json(settings), seed=settings.seed
        ) as recorder:
            protocol.run(settings, recorder)
        self.made.append((protocol.name, settings))
        return Outcome(job=job, status="finished", path=job.out, error=None)


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr("neurosim.comparison.figure.draw", lambda comparison, paths: None)


@pytest.fixture
def here(monkeypatch):
    made_here = Here()
    monkeypatch.setattr("neurosim.sweep.run_jobs", made_here)
    return made_here


def run(path, *words):
    return main(["run", "compare", "--out", str(path), *TINY, *words])


def test_a_comparison_from_the_command_line_to_its_reports(tmp_path, capsys, here):
    path = tmp_path / "both.h5"
    assert (
        run(path, *ARMS, "--seeds", "1", "--seconds", "1e-4", "--alignment", "0", "--probe", "0")
        == 0
    )
    for name in ("both", "both-time"):
        assert all((tmp_path / f"{name}{suffix}").stat().st_size for suffix in SUFFIXES)
        told = json.loads((tmp_path / f"{name}.json").read_text())
        assert [arm["protocol"] for arm in told["arms"]] == [
            "pogodin2020_stream", "pogodin2020_table1",
        ]  # fmt: skip
        assert told["equal_presentations"] == 320
    assert len(list((tmp_path / "both-runs").glob("*.h5"))) == 2  # at least one epoch, so the same
    with Run(path) as finished:
        summary, history = finished.summary, finished.history
    assert summary["equal_time"]["epochs"] == {"two-point/grouped": 1, "backprop/plain": 1}
    assert summary["presentations"] == 640
    assert len(summary["equal_presentations"]["table"]) == 2
    np.testing.assert_array_equal(history["arm"], [0, 1, 0, 1])
    np.testing.assert_array_equal(history["presentations"], 320)
    capsys.readouterr()
    assert main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] is None  # it belongs to arms
    figure = tmp_path / "again.png"
    assert main(["plot", str(path), "--out", str(figure)]) == 0
    assert figure.stat().st_size > 10_000


@pytest.mark.slow
def test_runs_are_made_in_processes_of_their_own_and_found_again(tmp_path, undrawn):
    assert run(tmp_path / "a.h5", *ARMS, "--seeds", "1", "--seconds", "1e-4") == 0
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "a-runs").iterdir()}
    assert len(files) == 2
    assert run(tmp_path / "a.h5", *ARMS, "--seeds", "2", "--seconds", "1e-4", "--overwrite") == 0
    assert len(list((tmp_path / "a-runs").iterdir())) == 4
    assert all(file.stat().st_mtime_ns == time for file, time in files.items())


def test_arms_share_all_but_what_they_are_about_and_then_their_time(tmp_path, here, undrawn):
    path = tmp_path / "a.h5"
    assert run(path, *ARMS, "--seeds", "1", "--seed", "5", "--seconds", "0.3") == 0
    names, settings = zip(*here.made, strict=True)
    assert names == ("pogodin2020_stream", "pogodin2020_table1") * 2
    for field in ("dataset", "widths", "nonlinearity", "slope", "train", "threads", "seed"):
        assert len({getattr(s, field) for s in settings}) == 1
    assert [settings[0].remembered, settings[0].rate, settings[1].batch] == [2, 0.06, 16]
    with Run(path) as finished:
        summary, history = finished.summary, finished.history
    digests = set()
    for name in summary["runs"].values():
        with Run(tmp_path / "a-runs" / name[0]) as made:
            digests.add(made.summary["data_digest"])
    assert len(digests) == 1
    first = history["equal_time"] == 0
    expected = np.maximum(1, (0.3 / history["seconds"][first]).astype(int))
    assert list(summary["equal_time"]["epochs"].values()) == expected.tolist()
    assert [s.epochs for s in settings] == [1, 1, *expected]
    assert max(expected) > 1
    np.testing.assert_array_equal(history["presentations"][~first], 320 * expected)


def test_what_was_interrupted_or_failed_goes_on(tmp_path, here, undrawn, capsys):
    path = tmp_path / "a.h5"
    here.limit = 1
    assert run(path, *ARMS, "--seeds", "2", "--seconds", "1e-4", "--probe", "0") == 130
    assert "neurosim resume" in capsys.readouterr().err
    here.limit, here.failing = 100, "seed1"
    assert main(["resume", str(path) + ".partial", "--quiet"]) == 2
    told = capsys.readouterr().err
    assert "2 of 4 runs failed; two-point-grouped-1-epochs-seed1" in told
    assert "Too tired." in told
    here.failing = None
    assert main(["resume", str(path), "--quiet"]) == 0
    assert len(here.made) == 4
    with Run(path) as finished:
        assert finished.summary["presentations"] == 4 * 320
        np.testing.assert_array_equal(finished.history["seed"], [0, 1] * 4)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--arms", "two-point"], "Config.arms must name two or more"),
        (["--arms", "two-point", "two-point/grouped"], "Config.arms must name two or more"),
        (["--arms", "two-point", "backprob"], "Config.arms must be one of backprop/divisive"),
        (["--override", "backprop"], "Config.override must read ARM:SETTING=VALUE"),
        (["--override", "hebb:rate=1"], "the arm must be one of backprop/plain"),
        (["--override", "backprop:batsch=1"], "the setting must be one of batch"),
        (["--override", "backprop:widths=[8]"], "leave alone what all arms share; got 'widths'"),
        (["--override", "backprop:batch=many"], "Config.batch must be of type int; got 'many'"),
        (["--override", "gaussian:groups=5"], "Grouping.groups must divide"),
        (["--override", "gaussian:batch=1"], "(arm gaussian/divisive)"),
        (["--seeds", "0"], "Config.seeds"),
        (["--seconds", "-1"], "Config.seconds"),
        (["--alignment", "1"], "Config.alignment"),
        (["--dataset", "mnits"], "mnist"),
        (["--record.every", "3"], "Config.record must be left alone"),
    ],
)
def test_bad_settings_are_refused_before_any_run(tmp_path, capsys, here, words, named):
    assert run(tmp_path / "a.h5", *words) == 2
    assert named in capsys.readouterr().err
    assert not here.made
    assert not list(tmp_path.iterdir())


def test_every_arm_has_settings_that_its_protocol_accepts():
    shared = {"dataset": "clusters", "widths": (64,), "epochs": 10, "seed": 3}
    for name in (*presets.STREAMING, *presets.BATCHED):
        config = presets.Arm(name=name).config(shared)
        assert isinstance(config, Streaming if name in presets.STREAMING else Batches)
        assert (config.widths, config.epochs, config.seed) == ((64,), 10, 3)
        assert config.rule in name or "/" in name


def test_short_names_and_milestones():
    assert presets.full_name("two-point") == "two-point/grouped"
    assert presets.full_name("gaussian") == "gaussian/divisive"
    assert presets.full_name("backprop") == "backprop/plain"
    assert presets.full_name("cosine/plain") == "cosine/plain"
    for epochs, drops in ((100, (50, 75, 90)), (20, (10, 15, 18)), (3, (2, 3)), (1, (1,))):
        assert presets.Arm(name="backprop/plain").config({"epochs": epochs}).milestones == drops
    with pytest.raises(SettingError, match="must be one of"):
        presets.full_name("backprop/grouped")
