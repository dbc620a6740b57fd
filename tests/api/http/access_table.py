"""The table of docs/security.md that says who may do what, and how each cell of it is measured."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

import httpx
from litestar import Litestar
from litestar.routes import HTTPRoute

from api.http.authentication.tokens import create_token
from api.http.authentication.upload_tokens import create_upload_token
from api.http.authentication.users import Role, User
from domain.commands import Command
from domain.event_store.publishing import Publishing
from tests.api.http.caller import SECRET
from tests.api.http.uploads import CONTENT, announcement
from tests.fake_object_store import FakeObjectStore
from tests.histories import (
    OWNER,
    confirm_upload,
    create_post,
    delete_post,
    fail_post,
    publishing_commands,
)

PAGE: Final = Path(__file__).parents[3] / "docs" / "security.md"
NO_POST: Final = "–"
STATES: Final = ("pending", "processing", "published", "failed", "damaged", "deleted", "absent")
CALLERS: Final = ("anonymous", "owner", "another user", "auditor", "operator")
_ROLES: Final[dict[str, Role]] = {"auditor": "auditor", "operator": "operator"}

# Method and path, state of the post, caller; and the status of the answer.
Cell: TypeAlias = tuple[str, str, str]


def written_table() -> dict[Cell, int]:
    """The table of the page: a cell for every route, state and caller."""
    rows = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|(.+)\|$", PAGE.read_text(), re.MULTILINE)
    cells: dict[Cell, int] = {}
    for route, rest in rows:
        states, *statuses = [text.strip() for text in rest.split("|")]
        for state in states.split(", "):
            for caller, status in zip(CALLERS, statuses, strict=True):
                assert (route, state, caller) not in cells, (route, state)
                cells[route, state, caller] = int(status)
    return cells


def cells_of(app: Litestar) -> Iterator[Cell]:
    """Every cell that the routes of an application have."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for method in sorted({str(each) for each in route.methods} - {"OPTIONS", "HEAD"}):
            name = f"{method} {route.path_format}"
            has_post = "{post_id}" in name or name in _POST_IN_BODY
            for state in STATES if has_post else (NO_POST,):
                yield from ((name, state, caller) for caller in CALLERS)


_POST_IN_BODY: Final = frozenset({"POST /api/v1/posts/upload/complete"})


def post_in(state: str, publishing: Publishing, store: FakeObjectStore) -> UUID:
    """A new post of the owner in this state, whose photo has arrived."""
    post_id = uuid4()
    announced = {
        **{name: announcement()[name] for name in ("file_size", "sha256")},
        "upload_expires_at": datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1),
    }
    create = create_post(post_id, **announced)
    if state not in ("absent", NO_POST):
        for command in [create, *_after_creation(post_id)[state]]:
            publishing.execute(command)
    store.arrive(create.image_key, CONTENT)
    return post_id


def _after_creation(post_id: UUID) -> dict[str, list[Command]]:
    return {
        "pending": [],
        "processing": [confirm_upload(post_id)],
        "published": publishing_commands(post_id)[1:],
        "failed": [confirm_upload(post_id), fail_post(post_id, code="render_timed_out")],
        "damaged": [confirm_upload(post_id), fail_post(post_id, code="corrupt_image")],
        "deleted": [delete_post(post_id)],
    }


async def status_of(http: httpx.AsyncClient, cell: Cell, post_id: UUID) -> int:
    """Send the request of a cell, valid in all but what the table is about."""
    route, _, caller = cell
    method, path = route.split(" ", 1)
    for name, value in {**_PLACES, "{post_id}": str(post_id)}.items():
        path = path.replace(name, value)
    answer = await http.request(
        method,
        path + _QUERIES.get(route, ""),
        json=_body_of(route, post_id),
        headers=_headers_of(caller),
    )
    return answer.status_code


_PLACES: Final = {
    "{slug}": "post-not-found",
    "{key}": "variants/none.jpg",
    "{path}": "none",
    "{file_path}": "initializer.js",
}
_QUERIES: Final = {"GET /api/v1/posts/{post_id}/state": "?version=1"}


def _body_of(route: str, post_id: UUID) -> dict[str, Any] | None:
    # Everyone holds the owner's upload token: it alone gives no access.
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    token = create_upload_token(SECRET, post_id, expires_at=expires_at)
    bodies: dict[str, dict[str, Any]] = {
        "POST /api/v1/posts/upload/init": announcement(),
        "POST /api/v1/posts/upload/complete": {"post_id": str(post_id), "upload_token": token},
        "POST /api/v1/posts/{post_id}/upload/presign": {"upload_token": token},
        "POST /api/v1/posts/{post_id}/upload/parts": {
            "upload_token": token,
            "part_sha256": ["a" * 64],
        },
        "PATCH /api/v1/posts/{post_id}": {"caption": "Changed"},
    }
    return bodies.get(route)


def _headers_of(caller: str) -> dict[str, str]:
    if caller == "anonymous":
        return {}
    user_id = OWNER if caller == "owner" else uuid4()
    token = create_token(SECRET, User(id=user_id, role=_ROLES.get(caller, "user")))
    return {"Authorization": f"Bearer {token}"}
