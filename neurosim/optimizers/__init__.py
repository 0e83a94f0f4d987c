"""Optimizers over named arrays, and how their rates fall."""

from neurosim.optimizers.adam import Adam
from neurosim.optimizers.base import Optimizer
from neurosim.optimizers.schedule import Milestones, Schedule
from neurosim.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "Milestones", "Optimizer", "Schedule"]
