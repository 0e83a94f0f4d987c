"""The streaming protocols, through the command line, at small sizes."""

import json

import pytest

from neurosim import Run
from neurosim.backend import presence
from neurosim.cli import main

TINY = [
    *("--dataset", "clusters", "--train", "400", "--epochs", "1", "--evaluations", "2"),
    *("--widths", "32", "--groups", "8", "--quiet"),
]


def run(tmp_path, *options, protocol="pogodin2020_stream"):
    path = tmp_path / "run.h5"
    assert main(["run", protocol, "--out", str(path), *options]) == 0
    return path


@pytest.mark.parametrize(
    "options",
    [
        ["--rule", "plain", "--groups", "0", "--sigma", "3"],
        ["--rule", "oja", "--rate", "0.0001"],
        ["--rule", "bcm", "--rate", "0.00001"],
        ["--level", "smoothed", "--delay", "0.01"],
        ["--level", "memory", "--gap", "0.3", "--jitter", "0.5", "--train", "100"],
        ["--tau", "0.01", "--level", "smoothed", "--train", "100"],
        ["--recurrent", "--level", "smoothed", "--train", "100"],
        ["--engine", "reference", "--train", "100"],
        ["--same-class", "-1", "--validation", "0.2", "--remembered", "3", "--reads", "all"],
        ["--momentum", "0.9", "--weight-decay", "0.01", "--dtype", "float64", "--threads", "1"],
    ],
)
def test_every_rule_level_and_option_runs(tmp_path, options):
    with Run(run(tmp_path, *TINY, *options)) as finished:
        assert finished.summary["test_accuracy"] > 0.4  # four classes; the best possible is 0.85
        assert finished.history["accuracy"][-1] == finished.summary["test_accuracy"]


def test_the_quickstart_writes_a_figure_and_learns(tmp_path):
    small = ["--epochs", "8", "--evaluations", "2", "--widths", "128", "128"]
    path = run(tmp_path, *small, "--quiet", protocol="quickstart")
    assert path.with_suffix(".png").stat().st_size > 10_000
    with Run(path) as finished:
        assert finished.summary["test_accuracy"] > 0.9
        weights = finished.trace("layer2", "weight")
        assert weights.values.shape == (-(-finished.summary["presentations"] // 20), 16)


def test_info_has_what_scripts_need(tmp_path, capsys):
    path = run(tmp_path, *TINY, "--seed", "3")
    capsys.readouterr()
    assert main(["info", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = {"protocol": "pogodin2020_stream", "status": "finished", "seed": 3, "device": "cpu"}
    assert {key: told[key] for key in wanted} == wanted
    assert told["presentations"] == 400
    assert 0 < told["test_accuracy"] <= 1
    assert len(told["weights_digest"]) == 64


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--dataset", "mnits"], "mnist"),
        (["--rule", "hebbb"], "grouped"),
        (["--groups", "7"], "Grouping.groups"),
        (["--sigma", "0"], "ThirdFactorCircuit.sigma"),
        (["--gap", "0.1", "--level", "smoothed", "--jitter", "2"], "jitter"),
        (["--level", "two-point", "--tau", "0.1"], "Continuous"),
        (["--epochs", "0"], "Config.epochs"),
        (["--drift", "1"], "DatasetStream.image"),
        (["--rule", "bcm", "--rate", "1"], "diverged"),
    ],
)
def test_bad_settings_are_one_clear_line(tmp_path, capsys, options, named):
    path = tmp_path / "run.h5"
    assert main(["run", "pogodin2020_stream", "--out", str(path), *TINY, *options]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert named in told[-1]
    assert "Traceback" not in "".join(told)


@pytest.mark.parametrize(
    "protocol", ["quickstart", "pogodin2020_stream", "pogodin2020_traces", "compare"]
)
def test_a_gpu_that_is_not_there_is_missed_at_once(tmp_path, capsys, monkeypatch, protocol):
    monkeypatch.setattr(presence, "import_cupy", lambda: (None, "CuPy is not installed"))
    path = tmp_path / "run.h5"
    assert main(["run", protocol, "--out", str(path), "--device", "gpu"]) == 2
    message = "Config.device must be available on this machine; got 'gpu'. CuPy is not installed."
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_curves_of_several_seeds_become_one_figure_and_table(tmp_path):
    from analysis.learning_curves import draw, gather, table

    paths = []
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        paths.append(run(folder, *TINY, "--seed", str(seed), "--evaluations", "4"))
    (arm,) = gather(paths)
    assert arm.seeds == [0, 1]
    draw([arm], tmp_path / "curves.svg")
    assert all(name in (tmp_path / "curves.svg").read_text() for name in ("network", "layer1"))
    mean = sum(result.accuracy for result in arm.results) / 2
    assert f"| {100 * mean:.2f} (" in table([arm])
