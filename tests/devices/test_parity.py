"""Everything that computes with arrays does the same on the CPU and on a device.

Everything: a new class or function of these packages fails here until it has a case. Tolerances are
relative to the largest finite number of a result; where the CPU has NaN or infinity, so has the
device.
"""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

from neurosim.backend import to_device
from neurosim.batched import Driver
from neurosim.testing.device import _leaves, _mapped
from tests.batched.parts import DRIVERS
from tests.devices.cases import CASES, SIZES, SPECIAL, Draw, found_below

TOLERANCE = {"float32": 2e-5, "float64": 1e-11}


def spoiled(arguments, change):
    """The arguments with special values in the first array of numbers that are not whole."""
    arguments = list(arguments)
    first = next((i for i, a in enumerate(arguments) if _is_float(a)), None)
    if first is not None:
        arguments[first] = change(arguments[first])
    return arguments


def _is_float(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def require_same(found, expected, tolerance, where):
    assert found.shape == expected.shape, where
    assert found.dtype == expected.dtype, where
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite], err_msg=where)
    scale = np.abs(expected[finite]).max(initial=0)
    # what is lost below the smallest normal number is lost wherever it is
    smallest = np.finfo(expected.dtype).smallest_normal if expected.dtype.kind == "f" else 0
    np.testing.assert_allclose(
        found[finite], expected[finite], rtol=0, atol=tolerance * scale + smallest, err_msg=where
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_a_device_computes_what_the_cpu_does(name, dtype, device):
    case = CASES[name]
    for size in SIZES:
        if size.samples < case.smallest:
            continue
        for special, change in SPECIAL.items():
            where = f"{name}, {dtype}, {size}, {special}"
            arguments = spoiled(case.make(Draw(size, dtype)), change)
            there = _mapped(lambda array: to_device(array, "gpu"), arguments)
            if device is not None:
                device.fetches = device.synchronisations = 0
            with np.errstate(all="ignore"):
                found = list(_leaves(case.compute(*there)))
                expected = list(_leaves(case.compute(*arguments)))
            if device is not None:
                assert (device.fetches, device.synchronisations) == (0, 0), where
            assert len(found) == len(expected) > 0, where
            for one, other in zip(found, expected, strict=True):
                here = np.asarray(to_device(one, "cpu") if hasattr(one, "dtype") else one)
                require_same(here, np.asarray(other), TOLERANCE[dtype], where)


# Loops compiled for the CPU; what a plan is made of there; numbers; what `Dense` has a case with.
ELSEWHERE = {
    "accumulate_outer", "gain_row", "groups_row", "rate_row", "sharing",
    "causal_weights", "gauss_nodes", "lagrange_basis",
    "Milestones", "Schedule", "flat", "is_average",
    "BatchNorm",
}  # fmt: skip


def offered(package):
    """Public functions, and classes with instances of their own, that its modules define."""
    home = importlib.import_module(f"neurosim.{package}")
    for info in pkgutil.iter_modules(home.__path__):
        module = importlib.import_module(f"neurosim.{package}.{info.name}")
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == module.__name__
            plain = not (name.startswith("_") or inspect.isabstract(thing))
            if own and plain and callable(thing) and not hasattr(thing, "_fields"):
                yield name, thing


@pytest.mark.parametrize("package", ["ops", "layers", "objectives", "optimizers"])
def test_everything_has_a_case(package):
    things = dict(offered(package))
    covered = {case.covers for case in CASES.values()}
    missing = {name for name, thing in things.items() if thing not in covered} - ELSEWHERE
    assert not missing, "give it a line in cases.py"


def test_what_needs_no_case_is_there_and_has_none():
    names = {n for p in ("ops", "layers", "objectives", "optimizers") for n, _ in offered(p)}
    assert names >= ELSEWHERE
    assert not ELSEWHERE & {getattr(c.covers, "__name__", "") for c in CASES.values()}


def test_every_driver_takes_steps_on_devices():
    """As `tests/batched/test_device.py` does, with those that are listed."""
    assert {type(driver) for driver in DRIVERS.values()} == set(found_below(Driver))
