"""Batched training: layer-wise, and the backprop family it is compared with."""

from neurosim.batched.driver import Batch, Driver, Learner, Lesson
from neurosim.batched.end_to_end import Backprop
from neurosim.batched.feedback import DirectFeedbackAlignment, FeedbackAlignment, SignSymmetric
from neurosim.batched.layerwise import LayerWise
from neurosim.batched.readout_only import ReadOutOnly
from neurosim.batched.trainer import Trainer

__all__ = [
    "Backprop",
    "Batch",
    "DirectFeedbackAlignment",
    "Driver",
    "FeedbackAlignment",
    "LayerWise",
    "Learner",
    "Lesson",
    "ReadOutOnly",
    "SignSymmetric",
    "Trainer",
]
