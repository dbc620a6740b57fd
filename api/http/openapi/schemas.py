"""Schemas of the document: what msgspec enforces, with an example of every type.

Litestar's own schemas of Structs know neither docstrings nor `forbid_unknown_fields`.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition
from msgspec import Struct, inspect

_UNSHOWN: Final = msgspec.NODEFAULT
_REFERENCE: Final = "#/components/schemas/{name}"

Type: TypeAlias = inspect.Type


class StructSchemas(OpenAPISchemaPlugin):
    """Describes a Struct by msgspec's JSON Schema of it, and composes its example."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        """Whether the field is a Struct."""
        return not field_definition.is_union and field_definition.is_subclass_of(Struct)

    def to_openapi_schema(
        self,
        field_definition: FieldDefinition,
        schema_creator: Any,  # noqa: ANN401 - the class is private to Litestar
    ) -> Schema:
        """Register the schemas of the Struct and of every Struct in it.

        Raises:
            MissingExample: a field has no example.
        """
        struct = field_definition.annotation
        schema: Schema = schema_creator.schema_registry.get_schema_for_field_definition(
            field_definition
        )
        found = msgspec.json.schema_components([struct], ref_template=_REFERENCE)[1]
        described = found[struct.__name__]
        schema.title = described["title"]
        schema.type = OpenAPIType.OBJECT
        schema.description = described["description"]
        schema.properties = _with_types(described["properties"])
        schema.required = described["required"] or None
        schema.additional_properties = described.get("additionalProperties")
        schema.examples = [example_of(struct)]
        for nested in _structs_in(struct):
            schema_creator.for_field_definition(FieldDefinition.from_annotation(nested))
        return schema


def _with_types(node: Any) -> Any:  # noqa: ANN401 - any part of a JSON Schema
    """Add what generators of clients need: the type of enums."""
    match node:
        case {"enum": [str(), *_]}:
            return {"type": "string", **node}
        case {"examples": examples, **rest}:
            return {"examples": examples, **_with_types(rest)}
        case dict():
            return {name: _with_types(value) for name, value in node.items()}
        case list():
            return [_with_types(each) for each in node]
        case _:
            return node


class MissingExample(Exception):
    """A field that clients see has no example."""

    def __init__(self, missing: Type) -> None:
        super().__init__(f"give this field an example: {missing}")
        self.missing = missing


def example_of(struct: type[Struct]) -> Any:  # noqa: ANN401 - any JSON value
    """Compose a worked example of a Struct from the examples of its fields."""
    return _example(inspect.type_info(struct))


def _example(of: Type) -> Any:  # noqa: ANN401 - any JSON value
    match of:
        case inspect.Metadata(extra_json_schema={"examples": [example, *_]}):
            return example
        case inspect.Metadata(type=inner) | inspect.UnionType(types=(inner, *_)):
            return _example(inner)
        case inspect.StructType():
            return {each.encode_name: _example(each.type) for each in _always_sent(of)}
        case inspect.ListType(item_type=item):
            return [_example(item)]
        case inspect.DictType(key_type=key, value_type=value):
            return {_example(key): _example(value)}
        case inspect.LiteralType(values=(first, *_)):
            return first
        case inspect.BoolType():
            return True
        case _:
            raise MissingExample(of)


def _always_sent(struct: inspect.StructType) -> Iterator[inspect.Field]:
    # A Struct that may be left out has no default that msgspec shows.
    return (
        each
        for each in struct.fields
        if each.required or each.default is not _UNSHOWN or not [*_structs(each.type)]
    )


def _structs_in(struct: type[Struct]) -> Iterator[type[Struct]]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - narrows the type
    for each in info.fields:
        yield from _structs(each.type)


def _structs(of: Type) -> Iterator[type[Struct]]:
    match of:
        case inspect.StructType(cls=struct):
            yield struct
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
            yield from _structs(inner)
        case inspect.DictType(value_type=inner):
            yield from _structs(inner)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _structs(each)
        case _:
            return
