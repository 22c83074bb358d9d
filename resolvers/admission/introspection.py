"""The sizes of a schema's own description, by which introspection is measured.

A value of it takes as long as a field of a render. Mean sizes are used, since the largest ones of all levels would
multiply to many times the size of the whole description: the query of GraphQL's tools is measured 15 % too high.
"""

from collections.abc import Mapping
from functools import lru_cache

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    SchemaMetaFieldDef,
    TypeMetaFieldDef,
    is_introspection_type,
)

WRAPPED_SHARE = 0.5  # of types in a description that have an `ofType`, about
META_FIELDS: Mapping[str, GraphQLField] = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}

Sizes = Mapping[str, float]


@lru_cache(maxsize=4)  # a process has one schema
def introspection_sizes(schema: GraphQLSchema) -> Sizes:
    """Return the mean number of values of each introspection field that returns several or sometimes none."""
    types = list(schema.type_map.values())
    fields = [field for type_ in types for field in _fields(type_)]
    inputs = [len(type_.fields) for type_ in types if isinstance(type_, GraphQLInputObjectType)]
    enums = [len(type_.values) for type_ in types if isinstance(type_, GraphQLEnumType)]
    unions = [len(type_.types) for type_ in types if isinstance(type_, GraphQLUnionType)]
    return {
        "types": len(types),
        "directives": len(schema.directives),
        "fields": len(fields) / len(types),
        "args": sum(len(field.args) for field in fields) / max(1, len(fields)),
        "inputFields": sum(inputs) / len(types),
        "enumValues": sum(enums) / len(types),
        "possibleTypes": sum(unions) / len(types),
        "ofType": WRAPPED_SHARE,
    }


def is_introspection(parent: GraphQLNamedType | None) -> bool:
    """Return whether the type is one of those that describe the schema."""
    return parent is not None and is_introspection_type(parent)


def _fields(type_: GraphQLNamedType) -> list[GraphQLField]:
    return list(type_.fields.values()) if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else []
