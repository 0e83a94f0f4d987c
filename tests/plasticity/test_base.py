import pytest

from neurosim.checks import SettingError
from neurosim.plasticity import BCM, Oja, PlasticityRule


def test_a_rule_without_factors_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        PlasticityRule()


@pytest.mark.parametrize("value", [-1.0, 0.5])
def test_averages_last_at_least_one_presentation(value):
    with pytest.raises(SettingError, match=rf"BCM\.averages must be 0 or at least 1; got {value}"):
        BCM(averages=value)
    assert BCM(averages=1.0).averages == 1


def test_most_rules_need_no_constants():
    assert Oja().constants(None) == ()
