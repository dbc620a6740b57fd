"""Users: whom the claims of a token name, and the role they have."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import Struct

from api.http.errors import InvalidToken

Role: TypeAlias = Literal["user", "operator", "auditor"]

# Of several roles in one claim, the first of these counts.
ROLES: Final[tuple[Role, ...]] = ("operator", "auditor", "user")
_BY_NAME: Final[dict[str, Role]] = {role: role for role in ROLES}
assert set(ROLES) == set(get_args(Role))  # noqa: S101 - a new role needs its place


class User(Struct, frozen=True):
    """The caller, as the token names it."""

    id: UUID
    role: Role

    @property
    def actor(self) -> str:
        """The actor that events record."""
        return f"user:{self.id}"


def user_id_of(subject: str, *, issuer: str | None) -> UUID:
    """The id of a subject: itself if it is a UUID, or else one derived from issuer and subject.

    Identity providers name users as they like, such as `auth0|5f7c8e`. The derived id is the UUIDv5
    of `subject` in the namespace of `issuer`, so the same user always has the same id.

    Raises:
        InvalidToken: the subject is not text that can be stored.
    """
    if is_canonical_uuid(subject):
        return UUID(subject)
    try:
        return uuid5(uuid5(NAMESPACE_URL, issuer or ""), subject)
    except UnicodeEncodeError as error:
        raise InvalidToken from error


def is_canonical_uuid(text: str) -> bool:
    """Whether `text` is a UUID as `str` writes it: two spellings would be two subjects."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def role_of(claims: Mapping[str, Any], *, role_claim: str) -> Role:
    """The role that a claim gives: a name, or a list that may hold names of other services.

    Raises:
        InvalidToken: it names a role that does not exist, or is neither a name nor a list.
    """
    match _claim_at(claims, role_claim):
        case str() as name if name in _BY_NAME:
            return _BY_NAME[name]
        case list() as names:
            return _highest_of(names)
        case _:
            raise InvalidToken


def _highest_of(names: list[Any]) -> Role:
    for role in ROLES:
        if role in names:
            return role
    return "user"


def _claim_at(claims: Mapping[str, Any], path: str) -> object:
    """The claim of this name, or the one that its dots lead to; `user` if there is none."""
    if path in claims:
        # Namespaced names, such as https://photos.example/role, have dots of their own.
        return claims[path]
    found: object = claims
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return "user"
        found = found[name]
    return found
