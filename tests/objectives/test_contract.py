"""Every objective keeps the contract, and one that breaks it is told so."""

from dataclasses import dataclass

import numpy as np
import pytest

from neurosim.backend import to_device
from neurosim.objectives import HSIC, PHSIC, LayerClassification
from neurosim.testing import check_objective


@pytest.mark.parametrize("kind", [PHSIC, HSIC, LayerClassification])
def test_every_objective_of_the_project_passes(kind):
    check_objective(kind.example())


@dataclass(frozen=True, kw_only=True)
class Broken(PHSIC):
    """A pHSIC with something wrong."""

    promise: str = ""

    def evaluate(self, parameters, activity, labels):
        found = PHSIC.evaluate(self, parameters, activity, labels)
        weights = np.arange(1.0, 1 + len(labels))
        return {
            "have the gradient of its value at rate": found._replace(d_rate=found.d_rate * 1.01),
            "have a finite value": found._replace(value=np.nan),
            "have a gradient at rate of its shape": found._replace(d_rate=found.d_rate[:1]),
            "have a gradient for every parameter": found._replace(d_parameters={"a": weights}),
            "not depend on the order": found._replace(
                value=float(weights @ activity.rate[:, 0]),
                d_rate=weights[:, None] * np.eye(1, activity.rate.shape[1]),
            ),
        }[self.promise]


@pytest.mark.parametrize(
    "promise",
    [
        "have the gradient of its value at rate",
        "have a finite value",
        "have a gradient at rate of its shape",
        "have a gradient for every parameter",
        "not depend on the order",
    ],
)
def test_a_broken_promise_is_named(promise):
    example = PHSIC.example()
    broken = Broken(
        label_similarity=example.label_similarity, similarity=example.similarity,
        grouping=example.grouping, promise=promise,
    )  # fmt: skip
    with pytest.raises(AssertionError, match=f"Broken must {promise}"):
        check_objective(broken)


class Waiting(PHSIC):
    """Its value is a number, wherever its activity is."""

    def evaluate(self, parameters, activity, labels):
        found = super().evaluate(parameters, activity, labels)
        return found._replace(value=float(found.value))


class Converting(PHSIC):
    """Takes whatever it gets for an array of NumPy's."""

    def evaluate(self, parameters, activity, labels):
        rate = np.asarray(activity.rate)
        return super().evaluate(parameters, activity._replace(rate=rate), labels)


class Mixing(PHSIC):
    """Its weights are always on the CPU."""

    def centre(self, similarity):
        return super().centre(similarity) * np.ones(similarity.shape)


class Fetching(PHSIC):
    """Computes on the CPU, and moves everything there and back."""

    def evaluate(self, parameters, activity, labels):
        moved = activity._replace(rate=to_device(activity.rate, "cpu"))
        return super().evaluate(parameters, moved, to_device(labels, "cpu"))


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Waiting, "not wait for the device its arrays are on. It did 1 times"),
        (Converting, "compute where its arrays are. .*must not become one of the host"),
        (Mixing, "compute where its arrays are. .*array of the host, of shape"),
        (Fetching, "not wait for the device its arrays are on. It did 2 times"),
    ],
)
def test_an_objective_that_cannot_go_to_a_device_is_told(kind, promise):
    with pytest.raises(AssertionError, match=f"{kind.__name__} must {promise}"):
        check_objective(kind(**vars(PHSIC.example())))
