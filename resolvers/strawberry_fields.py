"""Reads Strawberry's definition of a field or type from graphql-core's schema.

Relies on names that Strawberry doesn't document, written for 0.341.2: the key "strawberry-definition" in `extensions`,
`StrawberryField.arguments` with `graphql_name` and `python_name`, `to_camel_case`, and `StrawberryField.base_resolver`,
whose resolver has `wrapped_func`, `is_async`, `self_parameter`, `info_parameter`, `parent_parameter` and
`root_parameter`.
`tests/resolvers/test_private_names.py` checks them.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from graphql import GraphQLField, GraphQLObjectType
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

DEFINITION = "strawberry-definition"


def field_definition(field: GraphQLField | None) -> StrawberryField | None:
    """Return Strawberry's definition of a field; None if it has none."""
    definition = None if field is None else field.extensions.get(DEFINITION)
    return definition if isinstance(definition, StrawberryField) else None


def python_class(type_: GraphQLObjectType) -> type:
    """Return the class that an object type was made from."""
    origin: type = type_.extensions[DEFINITION].origin
    return origin


def has_resolver(definition: StrawberryField) -> bool:
    """Return whether the field is resolved by a function, not by an attribute of its object."""
    return definition.base_resolver is not None


def plain_method(definition: StrawberryField) -> Callable[[Any], Any] | None:
    """Return the field's resolver if it is a synchronous method without GraphQL parameters; None otherwise."""
    resolver = definition.base_resolver
    if resolver is None or resolver.is_async or resolver.info_parameter or resolver.parent_parameter:
        return None
    return resolver.wrapped_func  # type: ignore[return-value]  # a function: no resolver here is a static or class method


def root_coroutine(definition: StrawberryField) -> Callable[..., Awaitable[Any]] | None:
    """Return the field's resolver if it is a coroutine function of `self`, `info` and arguments; None otherwise.

    None also if the field has extensions, which include permissions.
    """
    resolver = definition.base_resolver
    if resolver is None or definition.extensions or resolver.parent_parameter or resolver.root_parameter:
        return None
    info = resolver.info_parameter
    if not resolver.is_async or not resolver.self_parameter or info is None or info.name != "info":
        return None
    return resolver.wrapped_func  # type: ignore[return-value]  # as above


def python_arguments(definition: StrawberryField, arguments: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return arguments of a field, given by their names in GraphQL, by the names of its resolver's parameters.

    Their values must need no conversion, as those of built-in scalars.
    """
    names = {
        argument.graphql_name or to_camel_case(argument.python_name): argument.python_name
        for argument in definition.arguments
    }
    return {names[name]: value for name, value in arguments}
