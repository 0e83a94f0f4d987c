"""The shared figure style."""

from __future__ import annotations

import matplotlib
import pytest

from neurosim.checks import RunFileError, SettingError
from neurosim.plotting import PALETTE, axis_label, context, figure, save


def test_the_style_ends_with_its_context_and_needs_no_backend():
    before = dict(matplotlib.rcParams)
    with context():
        assert matplotlib.rcParams["axes.spines.top"] is False
        drawing, axes = figure(2, 3)
        (line,) = axes[0, 0].plot([0, 1], [0, 1])
    assert axes.shape == (2, 3)
    assert line.get_color() == PALETTE[0]
    assert dict(matplotlib.rcParams) == before
    assert drawing.canvas.manager is None  # no window


def test_colours_differ_in_lightness_and_hue():
    assert len(set(PALETTE)) == len(PALETTE) >= 6


def test_labels_carry_units_only_where_there_are_any():
    assert axis_label("firing_rate", "1/s") == "firing rate (1/s)"
    assert axis_label("accuracy") == axis_label("accuracy", "1") == "accuracy"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_figures_are_written(suffix, tmp_path):
    drawing, _ = figure()
    file = save(drawing, tmp_path / f"a{suffix}")
    assert file.stat().st_size > 500


def test_unwritable_files_are_refused(tmp_path):
    drawing, _ = figure()
    with pytest.raises(SettingError, match=r"\.png"):
        save(drawing, tmp_path / "a.bmp")
    with pytest.raises(RunFileError, match=r"save\.path must be writable"):
        save(drawing, tmp_path / "missing" / "a.png")


def test_a_figure_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    drawing, _ = figure()
    file = save(drawing, tmp_path / "a.png")
    before = file.read_bytes()

    def half(target, **_):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drawing, "savefig", half)
    with pytest.raises(RunFileError, match="No space left"):
        save(drawing, file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
