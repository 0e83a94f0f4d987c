"""What all tests share: no stale machine code, and hypothesis may take its time."""

from pathlib import Path

from hypothesis import HealthCheck, settings

import neurosim

settings.register_profile(
    "neurosim", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.load_profile("neurosim")


def pytest_configure() -> None:
    """Drop compiled functions older than any compiled source.

    numba looks at the file of a function only, not at those of the functions it calls: without
    this, a change in one file would be tested with the machine code of before.
    """
    package = Path(neurosim.__file__).parent
    sources = [path for path in package.rglob("*.py") if "njit" in path.read_text("utf-8")]
    changed = max(path.stat().st_mtime for path in sources)
    for compiled in [*package.rglob("*.nbi"), *package.rglob("*.nbc")]:
        if compiled.stat().st_mtime < changed:
            compiled.unlink(missing_ok=True)
