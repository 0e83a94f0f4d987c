"""The seed tree: the same path gives the same numbers, whatever else is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.seeds import Seeds

names = st.text("abc/123", min_size=1, max_size=6)


def drawn(seeds, name):
    return seeds.generator(name).random(4).tolist()


@given(seed=st.integers(0, 2**70), name=names)
def test_the_same_path_gives_the_same_numbers(seed, name):
    assert drawn(Seeds(seed), name) == drawn(Seeds(seed), name)


@given(seed=st.integers(0, 2**40), one=names, other=names)
def test_other_paths_and_seeds_give_other_numbers(seed, one, other):
    assert drawn(Seeds(seed), one) != drawn(Seeds(seed + 1), one)
    if one != other:
        assert drawn(Seeds(seed), one) != drawn(Seeds(seed), other)


@given(parent=names, name=names)
def test_a_child_is_the_path_below_it(parent, name):
    assert drawn(Seeds(5).child(parent), name) == drawn(Seeds(5), f"{parent}/{name}")
    grandchild = Seeds(5).child("run").child(parent)
    assert drawn(grandchild, name) == drawn(Seeds(5), f"run/{parent}/{name}")


def test_what_was_drawn_before_does_not_matter():
    seeds = Seeds(3)
    first = drawn(seeds, "layer1/weights")
    seeds.generator("layer2/weights").random(1000)
    assert drawn(seeds, "layer1/weights") == first


def test_numbers_do_not_change_between_versions():
    """Runs are reproduced from their seed: these must stay what they are."""
    numbers = Seeds(0).generator("layer1/weights").integers(0, 1000, 5).tolist()
    assert numbers == [
        706,
        163,
        921,
        320,
        919,
    ]


def test_two_paths_are_uncorrelated():
    one, other = (Seeds(0).generator(name).standard_normal(10_000) for name in ("a", "b"))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.04  # four standard deviations


def test_a_negative_seed_is_refused():
    with pytest.raises(SettingError, match=r"Seeds\.seed must be a non-negative integer; got -1"):
        Seeds(-1)
