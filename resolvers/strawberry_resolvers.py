"""Calls the resolvers of queries, mutations and unions without Strawberry's layers around them.

For each call of a field, Strawberry looks up the types and names of all arguments, and prepares extensions of fields,
of which there are none. For each value of a union, it asks all types whether it is one of theirs.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from graphql import GraphQLResolveInfo, GraphQLSchema, GraphQLTypeResolver, GraphQLUnionType
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from resolvers.strawberry_fields import field_definition, python_class, root_coroutine
from resolvers.strawberry_inputs import argument_converter


def compile_resolvers(schema: GraphQLSchema) -> None:
    """Set the resolvers of unions, and of all fields of queries and mutations that are coroutine functions."""
    for root in filter(None, (schema.query_type, schema.mutation_type)):
        for field in root.fields.values():
            definition = field_definition(field)
            if definition is not None and (resolve := root_coroutine(definition)) is not None:
                field.resolve = _resolver(resolve, definition)
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLUnionType) and type_.resolve_type is not None:
            type_.resolve_type = _type_resolver(type_, type_.resolve_type)


def _resolver(resolve: Callable[..., Awaitable[Any]], definition: StrawberryField) -> Callable[..., Awaitable[Any]]:
    convert = argument_converter(definition)

    async def resolver(source: Any, raw_info: GraphQLResolveInfo[Any], **values: Any) -> Any:
        info: Info[Any, Any] = Info(_raw_info=raw_info, _field=definition)
        return await resolve(source, info=info, **convert(values))

    return resolver


def _type_resolver(union: GraphQLUnionType, resolve: GraphQLTypeResolver) -> GraphQLTypeResolver:
    names = {python_class(member): member.name for member in union.types}
    return lambda value, info, type_: names.get(type(value)) or resolve(value, info, type_)
