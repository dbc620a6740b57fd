"""Quotas: how much one user may have open, and upload in a day.

They are checked against the `usage` projection, which is a second behind as a rule: a burst of
announcements may exceed a quota by what the bucket of `init` allows in that time.
"""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from api.http.errors import QuotaExceeded
from api.http.resources import Connections
from api.settings import LimitSettings
from projections.queries.usage import recent_usage_of

# Open uploads end within the hour, and those of a day ago no longer count in an hour.
OPEN_RETRY_SECONDS: Final = 60
DAY_RETRY_SECONDS: Final = 3600


async def check_quotas(
    connections: Connections, settings: LimitSettings, *, user_id: UUID, file_size: int
) -> None:
    """Check that a user may announce another photo of `file_size` bytes.

    Raises:
        QuotaExceeded: a quota has no room for it.
    """
    if not settings.are_on:
        return
    async with connections.connection() as connection:
        usage = await recent_usage_of(connection, user_id, at=datetime.now(UTC))
    posts = usage.open_uploads + usage.uploads
    if settings.open_uploads and usage.open_uploads >= settings.open_uploads:
        raise QuotaExceeded(f"{settings.open_uploads} open uploads", seconds=OPEN_RETRY_SECONDS)
    if settings.posts_per_day and posts >= settings.posts_per_day:
        raise QuotaExceeded(f"{settings.posts_per_day} photos per day", seconds=DAY_RETRY_SECONDS)
    if settings.bytes_per_day and usage.announced_bytes + file_size > settings.bytes_per_day:
        raise QuotaExceeded(f"{settings.bytes_per_day} bytes per day", seconds=DAY_RETRY_SECONDS)
