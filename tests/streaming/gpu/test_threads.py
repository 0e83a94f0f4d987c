"""Every neuron has one thread, whatever the layer and the block."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neurosim.streaming.gpu.threads import WARP, share_out


@given(
    groups=st.integers(0, 70), size=st.integers(2, 300), most=st.integers(0, 10).map(lambda k: 2**k)
)
def test_the_teams_cover_all_neurons_and_fill_warps(groups, size, most):
    n_post = max(groups, 1) * size
    threads = share_out(n_post, groups, most)
    assert threads.groups * threads.size == n_post
    # no group and no neuron of a group is without a turn, and the last turn is needed
    assert threads.teams * (threads.rounds - 1) < threads.groups <= threads.teams * threads.rounds
    assert threads.lanes * (threads.each - 1) < threads.size <= threads.lanes * threads.each
    # sums are butterflies over aligned sets of lanes, within warps that are whole
    assert threads.lanes & (threads.lanes - 1) == 0
    assert threads.teams * threads.lanes <= threads.total <= most
    assert threads.warp & (threads.warp - 1) == 0
    assert threads.warps * threads.warp == threads.total
    assert threads.lanes <= threads.total
    assert threads.total <= WARP or threads.total % WARP == 0


def test_a_warp_looks_after_a_group_where_there_are_many():
    threads = share_out(1024, 32, 1024)
    assert (threads.lanes, threads.teams, threads.slots, threads.total) == (32, 32, 1, 1024)
    wide = share_out(4096, 32, 1024)
    assert (wide.lanes, wide.teams, wide.slots, wide.total) == (32, 32, 4, 1024)


def test_large_groups_have_larger_teams_only_where_threads_would_be_idle():
    assert share_out(1024, 4, 1024).lanes == 256
    assert share_out(1000, 0, 1024).lanes == 512
    assert share_out(1024, 4, 128).lanes == 32
