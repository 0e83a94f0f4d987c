"""The golden cases as a fixture."""

import pytest

from tests.golden.cases import CASES, case_of


@pytest.fixture(params=CASES)
def case(request):
    return case_of(request.param)
