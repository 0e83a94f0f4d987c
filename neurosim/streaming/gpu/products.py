"""Products of stacks of matrices into arrays that are there, without room in between."""

from __future__ import annotations

from neurosim.backend import Array, namespace


def turned(stack: Array) -> Array:
    """Every matrix of a stack transposed; a view."""
    return stack.transpose(0, 2, 1)


def multiply(out: Array, one: Array, other: Array, *, add: bool = False) -> None:
    """``out`` becomes, or grows by, the products of two stacks of matrices.

    Parameters
    ----------
    out : array, shape (replicas, m, n)
    one, other : array, shapes (replicas, m, k) and (replicas, k, n)
        Their rows, or their columns, are contiguous.
    add : bool
        Add to what is in ``out``.
    """
    xp = namespace(out, one, other)
    if add:
        out += xp.matmul(one, other)
    else:
        xp.matmul(one, other, out=out)
