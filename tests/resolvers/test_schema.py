"""The GraphQL schema as clients read it."""

from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
)

from resolvers import schema as graphql_schema

CHECKOUT = Path(__file__).parents[2]
SCHEMA = build_schema(graphql_schema.build_schema().as_str())
EXPECTED_ERRORS = {
    "RenderQuotaExceeded",
    "InvalidAnimation",
    "InvalidInput",
    "IdempotencyKeyReused",
    "RenderServiceNotConfigured",
    "OutputGone",
}


def own_types() -> Iterator[GraphQLNamedType]:
    for type_ in SCHEMA.type_map.values():
        if not is_introspection_type(type_) and not is_specified_scalar_type(type_):
            yield type_


def undescribed() -> Iterator[str]:
    """Yield the names of types, fields, arguments and enum values without a description."""
    for type_ in own_types():
        if not type_.description:
            yield type_.name
        match type_:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for name, field in type_.fields.items():
                    yield from _of_field(f"{type_.name}.{name}", field)
            case GraphQLInputObjectType():
                yield from (f"{type_.name}.{name}" for name, field in type_.fields.items() if not field.description)
            case GraphQLEnumType():
                yield from (f"{type_.name}.{name}" for name, value in type_.values.items() if not value.description)


def _of_field(name: str, field: GraphQLField) -> Iterator[str]:
    if not field.description:
        yield name
    arguments: dict[str, GraphQLArgument] = field.args
    yield from (f"{name}({argument}:)" for argument, given in arguments.items() if not given.description)


def test_everything_has_a_description() -> None:
    assert list(undescribed()) == []


def test_the_exported_schema_is_current() -> None:
    exported = (CHECKOUT / "schema" / "schema.graphql").read_text(encoding="utf-8")
    assert exported == graphql_schema.build_schema().as_str() + "\n"


def test_the_schema_has_all_operations() -> None:
    roots = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    assert [set(root.fields) for root in roots if root] == [
        {
            *("node", "render", "renders", "renderQuota", "renderLimits", "compositions", "composition"),
            *("batchProgress", "checkRenders", "fonts", "textLayout"),
        },
        {
            *("startRender", "refreshDownloadUrl", "cancelRender", "retryRender", "deleteRender", "renderToken"),
            *("startRenders", "cancelBatch"),
        },
        {"renderProgress", "renderUpdates", "renderChanges", "batchProgress"},
    ]


def test_each_mutation_returns_a_union_of_one_success_and_user_errors() -> None:
    mutation = SCHEMA.mutation_type
    assert mutation is not None
    for field in mutation.fields.values():
        union = SCHEMA.type_map[str(field.type).rstrip("!")]
        assert isinstance(union, GraphQLUnionType)
        kinds = [[interface.name for interface in member.interfaces] for member in union.types]
        assert kinds == [[], *[["UserError"]] * (len(kinds) - 1)]


def test_every_user_error_is_a_member_of_some_union() -> None:
    members = {m.name for union in own_types() if isinstance(union, GraphQLUnionType) for m in union.types}
    errors = {
        type_.name
        for type_ in own_types()
        if isinstance(type_, GraphQLObjectType) and "UserError" in [i.name for i in type_.interfaces]
    }
    assert errors <= members
    assert errors >= EXPECTED_ERRORS


def test_a_render_is_a_node() -> None:
    render = SCHEMA.type_map["Render"]
    assert isinstance(render, GraphQLObjectType)
    assert [interface.name for interface in render.interfaces] == ["Node"]
