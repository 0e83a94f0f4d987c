"""Numerical primitives: equation, NumPy reference, fused variant; one file a family."""
