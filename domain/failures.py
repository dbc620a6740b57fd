"""Failures: the codes of `post.failed` that no retry can mend, and how often others are retried."""

from typing import Final

# What the photo itself is: the same bytes fail again at the same cost. An operator may still retry
# one, after a fix or a changed setting. A photo that the store did not return, or not whole, is not
# among them: the store may do better next time.
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
    }
)

# A retry costs seconds of CPU and two rows for ever. An outage needs one retry after its end.
MAX_OWNER_RETRIES: Final = 5
