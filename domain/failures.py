"""Failures: the codes of `post.failed` that no retry can mend, and how often others are retried."""

from typing import Final

# What the photo itself is, or what was stored: the same bytes fail again at the same cost. An
# operator may still retry one, after a fix or a changed setting.
PERMANENT_CODES: Final = frozenset(
    {
        "not_an_image",
        "content_type_mismatch",
        "format_switched_off",
        "too_many_pixels",
        "side_too_long",
        "too_many_bands",
        "too_much_memory",
        "too_complex",
        "corrupt_image",
        "checksum_mismatch",
        "original_missing",
    }
)

# A retry costs seconds of CPU and two rows for ever. An outage needs one retry after its end.
MAX_OWNER_RETRIES: Final = 5
