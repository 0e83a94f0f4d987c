"""Protocols: one runnable experiment a file, found by name or by path, with settings in JSON.

A protocol is a Python file with a docstring, a frozen dataclass ``Config(ProtocolConfig)`` and a
function ``run(config, recorder)`` that ends with ``recorder.finish(summary, weights)``. It may add
``Config.smoke()``, a tiny valid instance, and ``plot(run, path)``, its own figure.
"""

from neurosim.protocol.config import ProtocolConfig
from neurosim.protocol.finding import Protocol, available, find
from neurosim.protocol.stored import from_json, to_json

__all__ = ["Protocol", "ProtocolConfig", "available", "find", "from_json", "to_json"]
