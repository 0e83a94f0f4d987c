"""Layers: weights (`drive`) and response (`respond`); no objective, optimizer, rule or clock."""

from neurosim.layers.base import Activity, Layer
from neurosim.layers.batch_norm import BatchNorm
from neurosim.layers.dense import Dense

__all__ = ["Activity", "BatchNorm", "Dense", "Layer"]
