"""Any two or more rules or modes on one network and data set, streaming included.

Every arm learns from an equal number of presentations, with several seeds; then, with a schedule of
its own, for an equal time. Each run is an ordinary run file in the folder NAME-runs beside NAME.h5;
the reports are NAME.png, .svg, .csv, .md and .json, and NAME-time.* for equal time.

Equal in all arms: data and their scaling, what is measured, seeds, neurons of each layer,
nonlinearity, device, threads, precision. Not equal, because they belong to an arm: initial gain,
groups and what is normalized, batches or single samples, dropout, learning rates, and whether the
read-out sees the last layer or (streaming) all of them. Batched arms have the published settings of
MNIST's 100 epochs, with rates that drop at the same parts of the run: short runs, and small data
sets with few batches an epoch, need an --override.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from neurosim import Recorder, RecordSettings, Run, Seeds
from neurosim.backend import require_device
from neurosim.checks import Interrupted, NeurosimError, require
from neurosim.comparison import Comparison, compare, write_report
from neurosim.comparison.alignment import require_samples
from neurosim.data import measured
from neurosim.progress import Progress, duration
from neurosim.protocol import ProtocolConfig, to_json
from neurosim.sweep import Job, run_jobs
from protocols._arms import Arm, arms

SHARED = (
    "dataset", "widths", "nonlinearity", "slope", "validation", "train", "evaluations",
    "alignment", "threads", "device",
)  # fmt: skip
COLUMNS = {"equal_time": "1", "arm": "1", "seed": "1", "accuracy": "1", "presentations": "1"} | {
    "seconds": "s"
}


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    """Settings of the protocol.

    Parameters
    ----------
    arms : tuple of str
        Streaming: two-point, smoothed or memory with /grouped or /plain; oja, bcm, hebb. Batched:
        gaussian, cosine or linear with /plain, /grouped or /divisive; backprop, feedback,
        direct-feedback, sign-symmetric, classification or last with /plain or /divisive. The
        second half may be left out: grouped in streaming, divisive for the batched similarities,
        else plain.
    override : tuple of str
        Settings of single arms: ARM:SETTING=VALUE, such as two-point:rate=0.03.
    dataset : str
        digits, clusters, mnist, fashion-mnist or kmnist.
    seeds : int
        Runs of each arm, with the seeds from --seed on.
    epochs : int
        Presentations of every run, in units of the training set's size.
    seconds : float
        Time for learning that every run has in the second comparison; 0: what the fastest arm took
        in the first.
    widths : tuple of int
        Neurons of each layer.
    nonlinearity : str
        identity, relu, leaky_relu, selu, softplus or tanh.
    slope : float
        Slope of leaky_relu below zero.
    validation : float
        Fraction of the training set held out and measured instead of the test set; 0 for none.
    train : int
        Use at most this many training samples; 0 for all.
    evaluations : int
        Times the accuracy is measured in each run, evenly spread.
    alignment : int
        Training samples on which alignment with backprop is measured each time; 0 for none.
    probe : int
        Training samples of a linear probe on each layer; 0 for no probes.
    threads : int
        Of every run. Runs are made one after the other, for they are timed.
    """

    arms: tuple[str, ...] = ("two-point", "gaussian", "backprop")
    override: tuple[str, ...] = ()
    dataset: str = "mnist"
    seeds: int = 3
    epochs: int = 20
    seconds: float = 0.0
    widths: tuple[int, ...] = (1024, 1024, 1024)
    nonlinearity: str = "leaky_relu"
    slope: float = 0.01
    validation: float = 0.0
    train: int = 0
    evaluations: int = 20
    alignment: int = 1000
    probe: int = 10_000
    threads: int = 2

    devices: ClassVar = ("cpu", "gpu")

    @classmethod
    def smoke(cls) -> Config:
        """Runs of seconds."""
        return cls(
            arms=("two-point", "backprop"), override=("backprop:batch=16",), dataset="clusters",
            seeds=1, epochs=1, widths=(32,), evaluations=2, alignment=64, probe=200, threads=1,
        )  # fmt: skip

    def shared(self, epochs: int, seed: int) -> dict[str, Any]:
        """Settings that all arms have in common."""
        return {name: getattr(self, name) for name in SHARED} | {"epochs": epochs, "seed": seed}


def run(config: Config, recorder: Recorder) -> Path:
    """Run all arms twice, write the reports, and finish with where everything is."""
    chosen = _checked(config)
    recorder.declare_history(COLUMNS)
    recorder.begin()
    recorder.save_checkpoint({}, {})  # what can be resumed is in the folder; the file must stay
    with Progress(unit="runs") as progress:
        equal = _made(config, chosen, dict.fromkeys(chosen, config.epochs), recorder, progress)
        presentations = _report(config, equal, recorder, "", progress)
        took = {name: _mean(equal[name], "seconds") for name in equal}
        seconds = config.seconds or min(took.values())
        epochs = {name: max(1, int(seconds / took[name] * config.epochs + 1e-9)) for name in chosen}
        progress.message(f"equal time: {duration(seconds)} a run")
        timed = _made(config, chosen, epochs, recorder, progress)
        time = _report(config, timed, recorder, "-time", progress)
    for equal_time, made in enumerate((equal, timed)):
        _note(recorder, equal_time, made)
    paths = {path for made in (equal, timed) for some in made.values() for path in some}
    summaries = [_summary(path) for path in paths]
    return recorder.finish(
        {
            "presentations": sum(summary["presentations"] for summary in summaries),
            "seconds": sum(summary["seconds"] for summary in summaries),
            "arms": list(chosen),
            "equal_presentations": {"epochs": config.epochs, "table": presentations.table()},
            "equal_time": {"budget": seconds, "epochs": epochs, "table": time.table()},
            "runs": {name: [path.name for path in equal[name]] for name in chosen},
            "timed_runs": {name: [path.name for path in timed[name]] for name in chosen},
        },
        {},
    )


def plot(run: Run, path: Path) -> None:
    """The figure of the comparison at equal presentations, drawn anew from its runs."""
    from neurosim.comparison.figure import draw

    require(run.status == "finished", "compare.run", "be finished to be drawn", run.status)
    folder = _folder(run.path)
    files = [folder / name for names in run.summary["runs"].values() for name in names]
    draw(compare(files, probe=run.settings["probe"]), [path])


def _checked(config: Config) -> dict[str, Arm]:
    """Refuse, before any run starts, what would fail in one of them."""
    require(config.seeds >= 1, "Config.seeds", "be at least 1", config.seeds)
    require(config.epochs >= 1, "Config.epochs", "be at least 1", config.epochs)
    require_device("Config.device", config.device)
    require(config.seconds >= 0, "Config.seconds", "not be negative", config.seconds)
    require(config.probe >= 0, "Config.probe", "not be negative", config.probe)
    own = config.record == RecordSettings()
    require(own, "Config.record", "be left alone", config.record, "Record single runs instead.")
    shared = config.shared(config.epochs, config.seed)
    chosen = arms(config.arms, config.override, (*shared, "record"))
    data = measured(config.dataset, config.validation, config.train, Seeds(config.seed))
    require_samples("Config.alignment", config.alignment, len(data.x_train))
    for arm in chosen:
        arm.require_runnable(shared, data)
    return {arm.name: arm for arm in chosen}


def _made(
    config: Config,
    chosen: Mapping[str, Arm],
    epochs: Mapping[str, int],
    recorder: Recorder,
    progress: Progress,
) -> dict[str, list[Path]]:
    """The run files of each arm, made where they are not there yet."""
    # Arms take turns, so that what else the machine does meets all of them.
    order = [(n, config.seed + k) for k in range(config.seeds) for n in chosen]
    jobs = [_job(config, chosen[name], epochs[name], seed, recorder) for name, seed in order]
    progress.message("runs in turn: " + ", ".join(f"{n} seed {seed}" for n, seed in order))
    outcomes = run_jobs(jobs, workers=1, retries=0, progress=progress)
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise NeurosimError(
            f"compare: {len(failed)} of {len(outcomes)} runs failed; {failed[0].path.name}: "
            f"{failed[0].error} Finished runs are kept and used again."
        )
    if any(outcome.status == "interrupted" for outcome in outcomes):
        raise Interrupted("Interrupted; finished runs are kept, and the others can go on.")
    made: dict[str, list[Path]] = {name: [] for name in chosen}
    for (name, _), outcome in zip(order, outcomes, strict=True):
        made[name].append(outcome.path)
    return made


def _job(config: Config, arm: Arm, epochs: int, seed: int, recorder: Recorder) -> Job:
    """One run, in a file that says which it is and is another for other settings."""
    settings = arm.config(config.shared(epochs, seed))
    digest = hashlib.sha256(json.dumps(to_json(settings), sort_keys=True).encode()).hexdigest()
    name = f"{arm.name.replace('/', '-')}-{epochs}-epochs-seed{seed}-{digest[:6]}.h5"
    return Job(protocol=arm.protocol, settings=settings, out=_folder(recorder.path) / name)


def _report(
    config: Config, made: Mapping[str, Sequence[Path]], recorder: Recorder, suffix: str,
    progress: Progress,
) -> Comparison:  # fmt: skip
    """Compare, write the report beside the run file, and say the result in a line an arm."""
    files = [path for paths in made.values() for path in paths]
    found = compare(files, probe=config.probe, progress=progress)
    stem = recorder.path.with_name(recorder.path.stem + suffix)
    written = write_report(found, stem)
    for row in found.table():
        low, mean, high = (100 * row[f"test_accuracy_{side}"] for side in ("min", "mean", "max"))
        shown = f"{row['presentations_mean']:,.0f} presentations"
        took = duration(row["seconds_mean"])
        progress.message(f"{row['arm']}: {mean:.2f} % ({low:.2f}-{high:.2f}), {shown}, {took}")
    progress.message(f"report: {written[0]} and .svg, .csv, .md, .json")
    return found


def _note(recorder: Recorder, equal_time: int, made: Mapping[str, Sequence[Path]]) -> None:
    """One row of the history for each run."""
    for index, paths in enumerate(made.values()):
        for path in paths:
            summary = _summary(path)
            with Run(path) as finished:
                seed = finished.seed
            recorder.note(
                equal_time=equal_time, arm=index, seed=seed, accuracy=summary["test_accuracy"],
                presentations=summary["presentations"], seconds=summary["seconds"],
            )  # fmt: skip


def _folder(file: Path) -> Path:
    """Where the runs of a comparison are."""
    return file.with_name(f"{file.stem}-runs")


def _mean(paths: Sequence[Path], figure: str) -> float:
    return float(np.mean([_summary(path)[figure] for path in paths]))


def _summary(path: Path) -> dict[str, Any]:
    with Run(path) as finished:
        return finished.summary
