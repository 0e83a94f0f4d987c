"""Measurements: how fast, how large, against what. Each is run as ``python -m benchmarks.NAME``."""
