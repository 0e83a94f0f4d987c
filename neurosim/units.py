"""Units of the numbers users write: times in seconds, rates in hertz.

Multiply on the way in (``60 * ms``), divide on the way out (``duration / ms``); inside, every time
is a plain number of seconds.
"""

from __future__ import annotations

from typing import Final

s: Final = 1.0
ms: Final = 1e-3 * s
Hz: Final = 1.0 / s
