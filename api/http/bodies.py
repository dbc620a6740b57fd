"""Bodies of requests: decoded strictly, with every invalid field found at once."""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Request
from msgspec import Struct

from api.http.errors import InvalidBody, InvalidField


class JsonRequest(Request[Any, Any, Any]):
    """A request whose JSON body is the Struct that its handler declares as `data`.

    Litestar's own conversion stops at the first invalid field, and takes "1" for 1.
    """

    async def json(self) -> Any:  # noqa: ANN401 - overrides Litestar
        """Decode the body.

        Raises:
            InvalidBody: the JSON is not that of the Struct.
        """
        body = await super().json()
        data = self.route_handler.parsed_fn_signature.parameters.get("data")
        return body if data is None else struct_of(data.annotation, body)


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
