"""Media: serves variants in development, where no CDN fronts the bucket; whole, never in ranges."""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.http.resources import Resources, UseResources
from api.http.routes.responses import matches_etag, require_match
from domain.keys import is_variant_key
from projections.queries.posts import Image, get_image
from transcoder.object_store.protocol import IMMUTABLE


@get("/media/{key:path}", include_in_schema=False)
async def read_media(
    key: FromPath[str], request: Request[Any, Any, Any], resources: UseResources
) -> Response[Any]:
    """A variant of a post that is not deleted; originals are never served."""
    image = await _image(resources, key.removeprefix("/"))
    headers = {
        "ETag": f'"{image.sha256}"',
        "Cache-Control": IMMUTABLE,
        "X-Content-Type-Options": "nosniff",
        # To every client, for a browser keeps the response for a year: one that <img> asked for,
        # without an Origin, must serve fetch and canvas later.
        "Access-Control-Allow-Origin": "*",
    }
    require_match(request, headers["ETag"])
    if matches_etag(request, headers["ETag"]):
        return Response(None, status_code=304, headers=headers)
    content = await resources.store.read(image.key)
    if content is None:
        raise NotFoundException
    return Response(content, media_type=image.content_type, headers=headers)


async def _image(resources: Resources, key: str) -> Image:
    if is_variant_key(key):
        async with resources.connections.connection() as connection:
            image = await get_image(connection, key)
        if image is not None:
            return image
    raise NotFoundException
