"""How property tests run: the same examples every time, as many as are worth a second, no deadline."""

from hypothesis import HealthCheck, settings

PROPERTY = settings(
    derandomize=True,
    deadline=None,
    max_examples=100,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
