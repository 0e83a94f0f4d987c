"""Errors: their family, and the one sentence they are written in."""

import numpy as np
import pytest

from neurosim import checks
from neurosim.checks import SettingError, require, require_finite, require_one_of


def test_what_holds_passes():
    require(True, "Owner.field", "be anything", None)
    require_one_of("Owner.field", "a", ["b", "a"])
    require_finite("Owner.field", np.ones(3))
    require_finite("Owner.field", np.ones(0))


def test_what_does_not_hold_is_one_readable_sentence():
    with pytest.raises(SettingError) as caught:
        require(False, "Owner.field", "be positive", -0.5, "Use 1.")
    assert str(caught.value) == "Owner.field must be positive; got -0.5. Use 1."
    with pytest.raises(SettingError) as caught:
        require(False, "Owner.field", "be positive", "x")
    assert str(caught.value) == "Owner.field must be positive; got 'x'."


def test_an_unknown_name_lists_the_known_ones_in_order():
    with pytest.raises(SettingError) as caught:
        require_one_of("Owner.field", "c", {"b": 1, "a": 2})
    assert str(caught.value) == "Owner.field must be one of a, b; got 'c'."


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_the_first_value_that_is_not_finite_is_found(value, shown):
    array = np.zeros((3, 4))
    array[1, 2] = array[2, 0] = value
    with pytest.raises(SettingError, match=rf"got {shown} at index \(1, 2\)\. Clean or drop"):
        require_finite("Data.x", array)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        ("SettingError", ValueError),
        ("BudgetError", SettingError),
        ("DataError", OSError),
        ("RunFileError", OSError),
        ("DivergenceError", ArithmeticError),
        ("Interrupted", Exception),
    ],
)
def test_every_error_is_ours_and_the_builtin_it_resembles(error, builtin):
    kind = getattr(checks, error)
    assert issubclass(kind, checks.NeurosimError)
    assert issubclass(kind, builtin)
