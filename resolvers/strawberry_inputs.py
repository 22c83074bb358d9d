"""Converts arguments and input objects by functions that are made once for each of their types.

Strawberry looks up the name, the type and the default of every field for each value: 80 of the 390 µs that a
`startRender` took. The hook `StrawberryObjectDefinition.from_input` replaces that. It, `InputContext`,
`StrawberryOptional` and `StrawberryList` are written for Strawberry 0.341.2; `tests/resolvers/test_private_names.py`
checks them.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLSchema
from strawberry.types.arguments import InputContext
from strawberry.types.base import StrawberryList, StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from resolvers.strawberry_fields import DEFINITION

Convert = Callable[[Any], Any]  # of a value that is not null


def compile_inputs(schema: GraphQLSchema) -> None:
    """Set the hook of all input types of the schema, whose classes keep it."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            definition: StrawberryObjectDefinition = type_.extensions[DEFINITION]
            definition.from_input = _builder(definition)


def argument_converter(definition: StrawberryField) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return a function from the coerced values of a field's arguments to those of its resolver."""
    arguments = [
        (argument.graphql_name or to_camel_case(argument.python_name), argument.python_name, _converter(argument.type))
        for argument in definition.arguments
    ]

    def convert_all(values: Mapping[str, Any]) -> dict[str, Any]:
        converted = {}
        for name, python_name, convert in arguments:
            if name in values:
                value = values[name]
                converted[python_name] = value if value is None or convert is None else convert(value)
        return converted

    return convert_all


def _builder(definition: StrawberryObjectDefinition) -> Callable[[type, Mapping[str, Any], InputContext | None], Any]:
    """Return a function that makes an object of the class from the values that graphql-core has coerced."""
    fields = [
        (
            field.graphql_name or to_camel_case(field.python_name),
            field.python_name,
            _converter(field.resolve_type(type_definition=definition)),
        )
        for field in definition.fields
    ]
    without_default = [
        field.python_name
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    ]

    def build(class_: type, values: Mapping[str, Any], _: InputContext | None = None) -> Any:
        members = dict.fromkeys(without_default)
        for name, python_name, convert in fields:
            if name in values:
                value = values[name]
                members[python_name] = value if value is None or convert is None else convert(value)
        return class_(**members)

    return build


def _converter(type_: Any) -> Convert | None:
    """Return the conversion of a field's values; None if graphql-core's are used as they are."""
    if isinstance(type_, StrawberryOptional):
        return _converter(type_.of_type)
    if isinstance(type_, StrawberryList):
        convert = _converter(type_.of_type)
        if convert is None:
            return list
        return lambda values: [None if each is None else convert(each) for each in values]
    if isinstance(type_, StrawberryEnumDefinition):
        return None
    if hasattr(type_, "__strawberry_definition__"):
        return lambda value: type_.__strawberry_definition__.from_input(type_, value)
    return None
