"""A plasticity rule as a device function, NumPy's functions in it included."""

from __future__ import annotations

import math
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import cuda

from neurosim.plasticity import PlasticityRule

# what numba.cuda does not know by NumPy's name, and knows by another
KNOWN_AS = {
    "abs": abs,
    "absolute": abs,
    "ceil": math.ceil,
    "exp": math.exp,
    "expm1": math.expm1,
    "fabs": math.fabs,
    "floor": math.floor,
    "log1p": math.log1p,
    "power": math.pow,
    "sqrt": math.sqrt,
}


def device_rule(rule: type[PlasticityRule]) -> Any:
    """`PlasticityRule.factors`, to be called neuron by neuron inside a kernel.

    Its source stays what it is; where it says ``np`` it finds numbers' functions, not arrays'.
    """
    numbers = ModuleType("numpy")
    vars(numbers).update(vars(np) | KNOWN_AS)
    function: Any = rule.factors
    names = {
        name: numbers if value is np else value for name, value in function.__globals__.items()
    }
    same = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    return cuda.jit(device=True)(same)
