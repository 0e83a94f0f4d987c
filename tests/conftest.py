"""What all tests share: hypothesis may take its time, and a GPU that is asked for must be there."""

import pytest
from hypothesis import HealthCheck, settings

from neurosim.backend import require_device
from neurosim.checks import SettingError

settings.register_profile(
    "neurosim", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.load_profile("neurosim")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail what is marked gpu where there is none, whatever else it would do."""
    if item.get_closest_marker("gpu"):
        try:
            require_device("The device of tests marked gpu", "gpu")
        except SettingError as error:
            # one line a test: there are many
            raise pytest.fail.Exception(str(error), pytrace=False) from None
