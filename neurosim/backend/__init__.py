"""Where arrays are, and what a GPU does: everything else here computes wherever its arrays are."""

from neurosim.backend.arrays import (
    Array,
    Scalar,
    at_hand,
    device_of,
    namespace,
    to_device,
)
from neurosim.backend.faults import device_errors
from neurosim.backend.fusing import fused
from neurosim.backend.presence import (
    DEVICES,
    cuda_of,
    cupy_or_none,
    require_device,
    standing_in,
)
from neurosim.backend.products import as_chosen, products

__all__ = [
    "DEVICES",
    "Array",
    "Scalar",
    "as_chosen",
    "at_hand",
    "cuda_of",
    "cupy_or_none",
    "device_errors",
    "device_of",
    "fused",
    "namespace",
    "products",
    "require_device",
    "standing_in",
    "to_device",
]
