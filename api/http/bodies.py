"""Bodies of requests: decoded strictly, with every invalid field found at once."""

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from litestar import Request
from msgspec import Struct

from api.http.errors import InvalidBody, InvalidField, NotJson

_JSON: Final = "application/json"


class JsonRequest(Request[Any, Any, Any]):
    """A request whose JSON body is the Struct that its handler declares as `data`.

    Litestar's own conversion stops at the first invalid field, and takes "1" for 1; its decoder
    takes any content type, and the last of two fields of the same name.
    """

    async def json(self) -> Any:  # noqa: ANN401 - overrides Litestar
        """Decode the body.

        Raises:
            NotJson: the content type is another.
            InvalidBody: the body is no JSON, or not that of the Struct.
        """
        if self.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _JSON:
            raise NotJson
        body = decode_strictly(await self.body())
        data = self.route_handler.parsed_fn_signature.parameters.get("data")
        return body if data is None else struct_of(data.annotation, body)


def decode_strictly(body: bytes) -> object:
    """Decode JSON.

    Raises:
        InvalidBody: it is not UTF-8, no JSON, or an object has two fields of the same name.
    """
    try:
        decoded: object = msgspec.json.decode(body)
        # msgspec keeps the last of two fields; a proxy in front may have checked the first.
        json.loads(body, object_pairs_hook=_require_unique_names)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidBody([InvalidField(pointer="#", detail=f"Invalid JSON: {error}")]) from error
    return decoded


def _require_unique_names(fields: list[tuple[str, object]]) -> None:
    names = [name for name, _ in fields]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidBody([InvalidField(pointer=f"#/{_escape(repeated)}", detail="Repeated field")])


def struct_of(struct: type[Struct], body: object) -> Struct:
    """Convert decoded JSON into a Struct.

    Raises:
        InvalidBody: it does not fit; the error lists every invalid field.
    """
    try:
        return msgspec.convert(body, struct)
    except msgspec.ValidationError as error:
        errors = list(_invalid_fields(struct, body)) if isinstance(body, dict) else []
        raise InvalidBody(errors or [InvalidField(pointer="#", detail=str(error))]) from error


def _invalid_fields(struct: type[Struct], body: dict[str, Any]) -> Iterator[InvalidField]:
    fields = {each.encode_name: each for each in msgspec.structs.fields(struct)}
    for name, each in fields.items():
        if name in body:
            yield from _invalid_value(name, body[name], each.type)
        elif each.required:
            yield InvalidField(pointer=f"#/{name}", detail="Missing")
    for name in body.keys() - fields.keys():
        yield InvalidField(pointer=f"#/{_escape(name)}", detail="Unknown field")


def _invalid_value(name: str, value: object, expected: object) -> Iterator[InvalidField]:
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        yield InvalidField(pointer=f"#/{name}", detail=str(error))


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
