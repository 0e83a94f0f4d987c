"""Units are plain multiples of the second."""

from neurosim.units import Hz, ms, s


def test_a_kilohertz_has_a_period_of_one_millisecond():
    assert 1 / (1000 * Hz) == ms


def test_sixty_milliseconds_are_six_hundredths_of_a_second():
    assert 60 * ms / s == 0.06
