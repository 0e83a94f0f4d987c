"""Fixtures of the batched tests."""

import pytest

from tests.batched.parts import DRIVERS


@pytest.fixture(params=DRIVERS)
def driver(request):
    return DRIVERS[request.param]
