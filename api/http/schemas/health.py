"""Schemas of health."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

State: TypeAlias = Literal["up", "down"]
DatabaseState: TypeAlias = Literal["up", "read_only", "down"]


class QueueView(Struct, frozen=True, kw_only=True):
    """The transcode queue."""

    waiting: Annotated[
        int, Meta(description="Jobs that wait, those between two attempts included.", examples=[3])
    ]
    running: Annotated[int, Meta(description="Jobs that workers run.", examples=[2])]


class LagView(Struct, frozen=True, kw_only=True):
    """How far the read tables have followed the log."""

    head: Annotated[int, Meta(description="The position of the newest event.", examples=[8123])]
    position: Annotated[
        int, Meta(description="The position up to which reads show events.", examples=[8123])
    ]
    events: Annotated[int, Meta(description="How many positions lie between.", examples=[0])]


class Health(Struct, frozen=True, kw_only=True):
    """The state of the service and, for operators only, of each dependency.

    Figures are null while the database is down.
    """

    status: Annotated[State, Meta(description="Whether both dependencies respond.")]
    database: Annotated[
        DatabaseState | UnsetType,
        Meta(
            description="Whether PostgreSQL responds and takes writes. While it is `read_only`, "
            "reads go on."
        ),
    ] = UNSET
    object_store: Annotated[
        State | UnsetType, Meta(description="Whether the object store responds.")
    ] = UNSET
    limits: Annotated[
        State | UnsetType,
        Meta(
            description="Whether the store of the rate limits responds. Without it, no upload is "
            "opened, and everything else goes on."
        ),
    ] = UNSET
    queue: QueueView | UnsetType | None = UNSET
    projection: LagView | UnsetType | None = UNSET


class Liveness(Struct, frozen=True, kw_only=True):
    """The process responds."""

    status: Annotated[Literal["up"], Meta(description="Always `up`.")]
