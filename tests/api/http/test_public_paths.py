"""What a caller may do without a token, and with a token that names no role."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.api.http.caller import SECRET
from tests.api.http.problem_answers import problem

pytestmark = pytest.mark.anyio

PUBLIC: Final = frozenset(
    {
        "/api/v1/capabilities",
        "/api/v1/health",
        "/api/v1/health/live",
        "/api/v1/health/ready",
    }
)


async def test_every_route_but_health_and_capabilities_requires_a_token(
    http: httpx.AsyncClient,
) -> None:
    documented = (await http.get("/docs/openapi.json")).json()["paths"]

    without_token = set()
    for path, operations in documented.items():
        for method in operations:
            url = path.replace("{post_id}", str(uuid4()))
            answer = await http.request(method.upper(), url)
            if answer.status_code != 401:
                without_token.add(path)

    assert without_token == PUBLIC


async def test_a_token_without_a_role_gives_no_access_to_the_audit_trail(
    http: httpx.AsyncClient,
) -> None:
    now = datetime.now(UTC)
    claims = {"sub": str(uuid4()), "iat": now, "exp": now + timedelta(hours=1)}
    token = jwt.encode(claims, SECRET, algorithm="HS256")

    answer = await http.get("/api/v1/audit/events", headers={"Authorization": f"Bearer {token}"})

    assert problem(answer) == (403, "insufficient-role")
