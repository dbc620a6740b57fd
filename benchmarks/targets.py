"""Targets: what a post may cost, from `complete` to published, for a 12-megapixel JPEG."""

from typing import Final

# Beyond this, the promise to clients is broken: the benchmark fails.
HARD_LIMIT_SECONDS: Final = 5.0
# What we promise.
TARGET_SECONDS: Final = 2.0
# What we aim at.
AIM_SECONDS: Final = 0.5
