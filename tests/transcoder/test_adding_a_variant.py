"""The guide to adding a variant is true: history stays correct before, during and after it."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote
from uuid import UUID, uuid4

import anyio
import msgspec
import pytest

from domain.event_store.publishing import Publishing
from domain.keys import original_key
from domain.recipes import RECIPE_VERSION, RECIPES
from tests.histories import confirm_upload, create_post
from tests.transcoder import pictures
from tests.transcoder.recipe_process import Report, Step, act

pytestmark = pytest.mark.anyio

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = ROOT / "docs" / "adding-a-variant.md"
BEFORE: Final = {recipe.variant for recipe in RECIPES}
AFTER: Final = {*BEFORE, "large"}

OLDER: Final = RECIPE_VERSION
NEWER: Final = RECIPE_VERSION + 1

Process: TypeAlias = Callable[..., Awaitable[list[Report]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bucket."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder


@pytest.fixture
def older(database_url: str, folder: Path) -> Process:
    """A process with the recipes as they are."""

    async def run(*steps: Step) -> list[Report]:
        return await act(database_url, folder, list(steps))

    return run


@pytest.fixture
def newer(database_url: str, folder: Path, tmp_path: Path) -> Process:
    """A process whose `domain/recipes.py` was changed as the guide says, and nothing else."""
    code = tmp_path / "newer"
    shutil.copytree(ROOT / "domain", code / "domain")
    change_recipes(code / "domain" / "recipes.py")

    async def run(*steps: Step) -> list[Report]:
        done = await anyio.run_process(
            [
                *(sys.executable, "-m", "tests.transcoder.recipe_process"),
                *(database_url, str(folder), msgspec.json.encode(steps).decode()),
            ],
            cwd=code,
            env={**os.environ, "PYTHONPATH": f"{code}:{ROOT}"},
            stderr=None,
        )
        # What it logs comes before.
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[Report])

    return run


def change_recipes(path: Path) -> None:
    """Apply the guide's diff: each of its hunks is found exactly once."""
    block = r"^```diff domain/recipes\.py\n(.*?)^```"
    [diff] = re.findall(block, GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    text = path.read_text()
    for hunk in diff.split("@@\n")[1:]:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def uploaded(publishing: Publishing, folder: Path, number: int) -> list[UUID]:
    """Posts whose photo has arrived and whose job waits."""
    content = pictures.jpeg()
    sha256 = hashlib.sha256(content).hexdigest()
    post_ids = [uuid4() for _ in range(number)]
    for post_id in post_ids:
        publishing.execute(create_post(post_id, sha256=sha256, file_size=len(content)))
        publishing.execute(confirm_upload(post_id))
        (folder / quote(original_key(post_id), safe="")).write_bytes(content)
    return post_ids


async def test_a_variant_is_added_to_a_log_with_history(
    publishing: Publishing, folder: Path, older: Process, newer: Process
) -> None:
    posts = uploaded(publishing, folder, 5)
    one, two, three, half_older, half_newer = posts
    audit = ("audit", posts)

    await older(("transcode", [one, two, three]), ("interrupted", [half_older]))
    before = await older(audit)
    # During the deployment, each finishes what the other has begun, and one post is reprocessed.
    before += await newer(audit, ("interrupted", [half_newer]), ("reprocess", [one]))
    await newer(("transcode", [half_older]))
    during = await older(("transcode", [half_newer]), ("reprocess", [one, two]), audit)
    last, after_all = await newer(audit, ("reprocess", posts), audit)
    during.append(last)
    after = [*await older(audit), after_all]

    for reports in (before, during, after):
        assert [report.wrong for report in reports] == [[], []]
        assert [report.recipe_version for report in reports] == [OLDER, NEWER]
        assert reports[0].variants == reports[1].variants
        assert reports[0].recipe_versions == reports[1].recipe_versions
    assert set(during[0].statuses.values()) == {"published"}
    assert during[0].recipe_versions == {
        one: NEWER,
        two: OLDER,
        three: OLDER,
        half_older: NEWER,
        half_newer: OLDER,
    }
    assert during[0].variants[one] == during[0].variants[half_older] == AFTER
    assert during[0].variants[two] == BEFORE
    assert during[0].variants[half_newer] >= BEFORE
    assert set(after[0].recipe_versions.values()) == {NEWER}
    assert all(names == AFTER for names in after[0].variants.values())
