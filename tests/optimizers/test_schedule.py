"""Learning-rate schedules: where they begin, end, and what lies between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.checks import SettingError
from neurosim.optimizers import Schedule

COURSES = ("constant", "exponential", "linear", "cosine")


@pytest.mark.parametrize("course", COURSES)
@given(rate=st.floats(1e-4, 10), final=st.floats(1e-3, 1))
def test_it_falls_from_the_rate_to_its_final_fraction(course, rate, final):
    rates = Schedule(rate=rate, course=course, final=final).rates(np.linspace(0, 1, 11))
    end = rate if course == "constant" else rate * final
    assert rates[[0, -1]] == pytest.approx([rate, end])
    assert (np.diff(rates) <= 1e-12 * rate).all()


def test_half_way_the_courses_differ():
    def half(course):
        return Schedule(rate=2.0, course=course, final=0.01).rates(np.array([0.5]))[0]

    assert half("exponential") == pytest.approx(2.0 * 0.1)
    assert half("linear") == pytest.approx(1.01)
    assert half("cosine") == pytest.approx(1.01)
    quarter = Schedule(rate=2.0, course="cosine", final=0.01).rates(np.array([0.25]))[0]
    assert quarter == pytest.approx(0.02 + 1.98 * (1 + np.sqrt(0.5)) / 2)


def test_the_shape_of_progress_is_kept():
    assert Schedule().rates(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize("change", [{"rate": -0.1}, {"final": 0.0}, {"final": 1.1}])
def test_unusable_settings_are_refused(change):
    (field,) = change
    with pytest.raises(SettingError, match=rf"Schedule\.{field} must"):
        Schedule(**change)


def test_an_unknown_course_is_refused():
    with pytest.raises(SettingError, match=r"Schedule\.course must be one of"):
        Schedule(course="sine")
