"""What all tests share: hypothesis may take its time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "neurosim", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.load_profile("neurosim")
