"""Experiments that can be run, one file each: settings, order of actions, what to record."""
