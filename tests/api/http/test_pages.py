"""Pages for people, the reference at /docs and one per problem type, and modules for web pages."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from litestar import Litestar

from api.http.problems.types import PROBLEM_TYPES
from tests.api.http.openapi_document import app_without_servers
from tests.api.http.problem_answers import problem

pytestmark = pytest.mark.anyio

PAGES = sorted({f"/problems/{each.slug}" for each in PROBLEM_TYPES.values()})


def client_of(app: Litestar) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://api.example")


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_without_servers()) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
async def test_the_type_of_a_problem_leads_to_its_page(web: httpx.AsyncClient, path: str) -> None:
    page = await web.get(path)

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "What to do" in page.text
    assert "<script" not in page.text
    assert "`" not in page.text.partition("<h2>Example")[0]


async def test_one_page_lists_them_all(web: httpx.AsyncClient) -> None:
    page = await web.get("/problems/")
    assert sorted(re.findall(r'href="([^"]+)"', page.text)) == PAGES


async def test_a_problem_type_that_does_not_exist_has_no_page(web: httpx.AsyncClient) -> None:
    assert problem(await web.get("/problems/nonsense")) == (404, "not-found")


async def test_the_reference_loads_nothing_from_elsewhere(web: httpx.AsyncClient) -> None:
    page = await web.get("/docs")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    links = re.findall(r'(?:src|href|data-document)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        assert link.startswith("/docs/")
        assert (await web.get(link)).status_code == 200, link
    assert not re.search(r"<script>|<style|\son\w+=", page.text)


async def test_the_reference_can_be_switched_off() -> None:
    async with client_of(app_without_servers(APP_DOCS="false")) as web:
        for path in ("/docs", "/docs/openapi.json", "/docs/swagger-ui/swagger-ui.css"):
            assert problem(await web.get(path)) == (404, "not-found"), path
        assert (await web.get("/problems/not-found")).status_code == 200
        assert (await web.get("/clients/nova-uppy.js")).status_code == 200


async def test_web_pages_of_every_origin_import_the_module_for_uppy(
    web: httpx.AsyncClient,
) -> None:
    path = "/clients/nova-uppy.js"
    module = await web.get(path)

    assert module.status_code == 200
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    assert module.headers["x-content-type-options"] == "nosniff"
    assert module.headers["cache-control"] == "public, max-age=3600"
    assert module.headers["access-control-allow-origin"] == "*"
    assert "export function nova(" in module.text
    again = await web.get(path, headers={"If-None-Match": module.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert problem(await web.get("/clients/nonsense.js")) == (404, "not-found")
