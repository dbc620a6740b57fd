"""Media: serves variants in development, where no CDN stands in front of the bucket."""

import re
from typing import Any, Final

from litestar import HttpMethod, Request, Response, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.services import Services, UseServices
from projections.reads import Image, get_image
from transcoder.object_store import IMMUTABLE

# One range, as players and downloaders send it; anything else may be ignored (RFC 9110, 14.2).
_ONE_RANGE: Final = re.compile(r"bytes=(\d+-\d*|-\d+)")


@route(
    "/media/{key:path}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    include_in_schema=False,
)
async def read_media(
    key: FromPath[str], request: Request[Any, Any, Any], services: UseServices
) -> Response[Any]:
    """A variant of a post that can still be read; originals are never served."""
    image = await _image(services, key)
    headers = _headers(image)
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return Response(None, status_code=304, headers=headers)
    wanted = request.headers.get("Range", "")
    byte_range = wanted if _ONE_RANGE.fullmatch(wanted) else None
    part = await services.store.read(image.key, byte_range=byte_range)
    if part is None:
        raise NotFoundException
    if part.content_range:
        headers["Content-Range"] = part.content_range
    return Response(
        part.content,
        status_code=206 if part.content_range else 200,
        media_type=image.content_type,
        headers=headers,
    )


async def _image(services: Services, key: str) -> Image:
    async with services.connections.connection() as connection:
        image = await get_image(connection, key.removeprefix("/"))
    if image is None:
        raise NotFoundException
    return image


def _headers(image: Image) -> dict[str, str]:
    return {
        "ETag": f'"{image.sha256}"',
        "Cache-Control": IMMUTABLE,
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
