"""The engine is open: a classic rule does what theory says, and so does a rule of a user's own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosim import IterableStream, Learning, Network, Presentation, Run, Seeds, Simulator, cli
from neurosim.ops.nonlinearity import Nonlinearity
from neurosim.optimizers import Schedule
from neurosim.plasticity import Oja


def test_ojas_rule_finds_the_first_principal_component():
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.normal(size=(10, 10)))
    spread = np.array([3.0, 1.5, *np.linspace(1, 0.3, 8)])
    data = rng.normal(size=(6000, 10)) * spread @ axes.T
    network = Network.dense(
        10, (4,), 2, Seeds(1), nonlinearity=Nonlinearity(name="identity"), dtype="float64"
    )
    learning = Learning(rule=Oja(), schedule=Schedule(rate=0.01, course="linear", final=0.01))
    simulator = Simulator(network, learning, Seeds(0))
    shown = [Presentation(x, 0) for x in data]
    before = np.abs(network.layers[0].weights @ axes[:, 0])
    simulator.run(IterableStream(shown))
    weights = simulator.network.layers[0].weights
    assert before.max() < 0.7
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), 1, atol=0.02)
    np.testing.assert_allclose(np.abs(weights @ axes[:, 0]), 1, atol=0.02)


PROTOCOL = '''"""A rule of my own: Hebb, with a third factor that turns it on, off and around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from neurosim import IterableStream, Learning, Network, Presentation, Seeds, Simulator
from neurosim.optimizers import Schedule
from neurosim.plasticity import Factors, PlasticityRule
from neurosim.protocol import ProtocolConfig
from neurosim.streaming.third_factor import ThirdFactorCircuit


@dataclass(frozen=True, kw_only=True)
class Mine(PlasticityRule):
    """dW = s (M z) (x) x."""

    compares: ClassVar[Literal["rate", "group", "nothing"]] = "rate"
    strength: float = 1.0

    def constants(self, layer):
        return (self.strength,)

    @staticmethod
    def factors(local, third, constants):
        return Factors(constants[0] * third.modulator * local.rate, 0.0 * local.rate)


@dataclass(frozen=True, kw_only=True)
class Config(ProtocolConfig):
    """My settings."""

    strength: float = 1.0
    presentations: int = 300
    engine: str = "chunked"


def presentations(seeds):
    """Noise around one of three points, without an end."""
    rng = seeds.generator("stream")
    centres = np.eye(3, 6) * 3
    while True:
        label = int(rng.integers(3))
        yield Presentation(centres[label] + rng.normal(size=6), label)


def run(config, recorder):
    seeds = Seeds(config.seed)
    network = Network.dense(6, (8,), 3, seeds, dtype="float64")
    learning = Learning(
        rule=Mine(strength=config.strength),
        third_factor=ThirdFactorCircuit(sigma=3.0),
        schedule=Schedule(rate=0.01, course="constant"),
        readout=Schedule(rate=0.05, course="constant"),
    )
    simulator = Simulator(network, learning, seeds, engine=config.engine, chunk=32)
    simulator.run(IterableStream(presentations(seeds), config.presentations), recorder=recorder)
    rng = seeds.generator("test")
    labels = rng.integers(0, 3, 200)
    tested = np.eye(3, 6)[labels] * 3 + rng.normal(size=(200, 6))
    recorder.finish(
        {"presentations": simulator.presentations,
         "test_accuracy": simulator.network.accuracy(tested, labels)},
        simulator.network.parameters(),
    )
'''


@pytest.fixture
def protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PROTOCOL)

    def run(name, *words):
        code = cli.main(["run", "./mine.py", "--out", f"{name}.h5", "--quiet", *words])
        assert code == 0
        with Run(f"{name}.h5") as stored:
            return {key: stored.weights(key) for key in ("layer1", "readout")} | stored.info()

    return run


def test_a_users_protocol_brings_its_own_rule(protocol, capsys):
    fast = protocol("fast")
    slow = protocol("slow", "--engine", "reference")
    none = protocol("none", "--strength", "0")
    assert fast["presentations"] == 300
    assert fast["test_accuracy"] > 0.8
    np.testing.assert_allclose(fast["layer1"], slow["layer1"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(fast["readout"], slow["readout"], rtol=0, atol=1e-12)
    assert np.abs(fast["layer1"] - none["layer1"]).max() > 0.01
    capsys.readouterr()
    assert cli.main(["info", "fast.h5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "finished"


def test_runs_repeat_and_seeds_differ(protocol):
    digests = [protocol(str(k), "--seed", seed)["weights_digest"] for k, seed in enumerate("112")]
    assert digests[0] == digests[1] != digests[2]
