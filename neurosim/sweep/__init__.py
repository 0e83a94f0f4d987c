"""Many runs of one protocol: a grid of settings times seeds, side by side, resumable."""

from neurosim.sweep.jobs import Job, Outcome, run_jobs

__all__ = ["Job", "Outcome", "run_jobs"]
