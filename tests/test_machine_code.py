"""Machine code older than its sources is dropped, and no other."""

import os

import pytest

from neurosim.machine_code import drop_stale


@pytest.fixture
def package(tmp_path):
    def write(name, text, time):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (time, time))
        return path

    return write


def test_a_changed_source_makes_everybodys_machine_code_stale(package, tmp_path):
    package("caller.py", "from numba import njit", 100)
    package("called.py", "from numba import njit", 300)
    old = package("__pycache__/caller.f-1.py311.1.nbc", "", 200)
    index = package("__pycache__/caller.f-1.py311.nbi", "", 200)
    fresh = package("__pycache__/called.g-1.py311.1.nbc", "", 400)
    assert drop_stale(tmp_path) == 2
    assert (old.exists(), index.exists(), fresh.exists()) == (False, False, True)


def test_other_sources_may_change(package, tmp_path):
    package("plain.py", "import numpy", 300)
    package("compiled.py", "from numba import njit", 100)
    kept = package("__pycache__/compiled.f-1.py311.1.nbc", "", 200)
    assert drop_stale(tmp_path) == 0
    assert kept.exists()


def test_nothing_compiled_yet(package, tmp_path):
    package("compiled.py", "from numba import njit", 100)
    assert drop_stale(tmp_path) == 0


def test_files_that_vanish_meanwhile_are_nobodys_business(package, tmp_path):
    package("compiled.py", "from numba import njit", 300)
    package("__pycache__/compiled.f-1.py311.1.nbc", "", 200)
    (tmp_path / "__pycache__/compiled.f-1.py311.nbi").symlink_to(tmp_path / "gone")
    assert drop_stale(tmp_path) == 1
