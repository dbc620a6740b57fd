"""The services' role can append to the log, and change nothing that is in it."""

from collections.abc import Iterator
from uuid import uuid4

import anyio
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.migrate import migrate
from domain.errors import EventStoreUnavailable
from domain.event_store.publishing import Publishing
from projections.connection import connected
from projections.follow.projection import POSTS
from projections.follow.runner import follow
from projections.grants import GrantError, NoSuchRole, OverpoweredRole
from projections.log_tree.sealing import seal
from projections.log_tree.verification import verify
from projections.rebuild.rebuild import rebuild
from tests.histories import create_post
from tests.projections.read_tables import wait_for_posts
from tests.sql import Connections

pytestmark = pytest.mark.anyio

REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    # Sequences of identity columns, and triggers that only a superuser may disable.
    psycopg.errors.WrongObjectType,
)
# A trigger in a temporary table would run as the owner, if the append wrote to it.
SHADOW = """
CREATE TEMPORARY TABLE post_events (LIKE public.post_events INCLUDING ALL);
CREATE FUNCTION pg_temp.taken_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE public.taken_over AS SELECT current_user');
    RETURN NEW;
END $$;
CREATE TRIGGER taken_over BEFORE INSERT ON pg_temp.post_events
    FOR EACH ROW EXECUTE FUNCTION pg_temp.taken_over();
"""
CHANGES = [
    (
        "INSERT INTO post_events (originator_id, originator_version, topic, state)"
        " VALUES (gen_random_uuid(), 1, 'post.created', '{}')"
    ),
    "COPY post_events FROM STDIN",
    "UPDATE post_events SET state = '{}'",
    "DELETE FROM post_events",
    "TRUNCATE post_events",
    "DROP TABLE post_events",
    "ALTER TABLE post_events DISABLE TRIGGER USER",
    "DROP TRIGGER post_events_are_append_only ON post_events",
    "ALTER TABLE post_events ADD COLUMN forged text",
    "CREATE RULE ignored AS ON INSERT TO post_events DO INSTEAD NOTHING",
    (
        "CREATE TRIGGER more BEFORE INSERT ON post_events"
        " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "BEGIN; LOCK TABLE post_events IN EXCLUSIVE MODE",
    "SELECT setval(pg_get_serial_sequence('post_events', 'notification_id'), 1)",
    "SELECT nextval(pg_get_serial_sequence('post_events', 'notification_id'))",
    "SET session_replication_role = 'replica'",
    "SET ROLE NAME_OF_OWNER",
    "SET SESSION AUTHORIZATION NAME_OF_OWNER",
    "ALTER TABLE post_events OWNER TO CURRENT_USER",
    "REASSIGN OWNED BY NAME_OF_OWNER TO CURRENT_USER",
    (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'"
    ),
    "CREATE FUNCTION public.enqueue_job(job json) RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA attack",
    "DROP FUNCTION append_post_events",
    "UPDATE log_leaves SET leaf_hash = leaf_hash",
    "DELETE FROM log_checkpoints",
    "TRUNCATE audit_accesses",
    "UPDATE audit_accesses SET actor = 'another'",
    "DELETE FROM _yoyo_migration",
    "COPY (SELECT 1) TO PROGRAM 'true'",
]


@pytest.fixture
def app_url(database_url: str, postgres_server: str) -> Iterator[str]:
    """The test's database, with the rights that `nova migrate --grant` gives."""
    role, password = f"app_{uuid4().hex}", uuid4().hex
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), password)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(create)
    migrate(database_url, roles=[role])
    yield make_conninfo(database_url, user=role, password=password)
    name = sql.Identifier(role)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
        connection.execute(sql.SQL("DROP ROLE {}").format(name))


async def test_the_services_role_publishes_follows_and_seals(
    app_url: str, connections: Connections
) -> None:
    with Publishing(app_url) as publishing:
        publishing.execute(create_post())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, app_url, POSTS)
        await wait_for_posts(connections, 1)
        tasks.cancel_scope.cancel()
    async with connected(app_url) as connection:
        await seal(connection)
        found = await verify(connection, progress=lambda *_: None)
        assert (found.events, found.finding) == (1, None)


@pytest.mark.parametrize("change", CHANGES)
async def test_the_services_role_cannot(change: str, app_url: str, database_url: str) -> None:
    with Publishing(app_url) as publishing:
        publishing.execute(create_post())
    owner = str(conninfo_to_dict(database_url)["user"])
    with psycopg.connect(app_url, autocommit=True) as connection, pytest.raises(REFUSED):
        connection.execute(change.replace("NAME_OF_OWNER", owner).encode())
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM post_events").fetchone() == (1,)


async def test_a_temporary_table_does_not_stand_in_for_the_log(
    app_url: str, database_url: str
) -> None:
    with psycopg.connect(app_url, autocommit=True) as connection:
        connection.execute(SHADOW)
        connection.execute(
            "SELECT append_post_events(gen_random_uuid(), '{1}', '{post.created}',"
            " ARRAY['{}'::bytea], '[]', NULL)"
        )
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM post_events").fetchone() == (1,)
        assert connection.execute("SELECT to_regclass('taken_over')").fetchone() == (None,)


async def test_other_roles_cannot_append(app_url: str, database_url: str) -> None:
    role = str(conninfo_to_dict(app_url)["user"])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("REVOKE EXECUTE ON FUNCTION append_post_events FROM {}").format(
                sql.Identifier(role)
            )
        )
    with Publishing(app_url) as publishing, pytest.raises(EventStoreUnavailable, match="denied"):
        publishing.execute(create_post())


async def test_grants_outlive_migrations_that_replace_functions_and_add_tables(
    app_url: str, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE added_later (id bigserial PRIMARY KEY)")
    migrate(database_url)
    with Publishing(app_url) as publishing:
        publishing.execute(create_post())
    with psycopg.connect(app_url, autocommit=True) as connection:
        connection.execute("INSERT INTO added_later DEFAULT VALUES")


async def test_a_rebuilt_table_can_be_written_by_the_services_role(
    app_url: str, database_url: str, connections: Connections
) -> None:
    with Publishing(app_url) as publishing:
        publishing.execute(create_post())
    await rebuild(database_url, POSTS, report=lambda *_: None)
    with Publishing(app_url) as publishing:
        publishing.execute(create_post())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, app_url, POSTS)
        await wait_for_posts(connections, 2)
        tasks.cancel_scope.cancel()


def test_a_role_that_does_not_exist_or_owns_the_tables_is_refused(database_url: str) -> None:
    with pytest.raises(NoSuchRole, match="does not exist"):
        migrate(database_url, roles=["stranger"])
    owner = str(conninfo_to_dict(database_url)["user"])
    with pytest.raises(OverpoweredRole, match="superuser"):
        migrate(database_url, roles=[owner])
    assert issubclass(NoSuchRole, GrantError)
