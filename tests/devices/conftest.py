"""Where the cases are computed a second time."""

from contextlib import nullcontext

import pytest

from neurosim.backend import require_device
from neurosim.testing import pretend_device


@pytest.fixture(params=["pretend", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request):
    """A pretend device, which counts, or a GPU, which must be there: then None."""
    with pretend_device() if request.param == "pretend" else nullcontext() as pretended:
        require_device("these tests", "gpu")
        yield pretended
