"""What the Python client sends, reads and raises, compared with the schema."""

import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import rendercast.client
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    OperationDefinitionNode,
    build_schema,
    get_named_type,
    is_non_null_type,
    is_required_input_field,
    parse,
    validate,
)
from rendercast.client import documents, inputs, results
from rendercast.client.documents import Watched
from rendercast.client.reading import camel_case
from rendercast.client.user_errors import USER_ERRORS

from services.settings import CHECKOUT

SCHEMA = build_schema((CHECKOUT / "schema" / "schema.graphql").read_text(encoding="utf-8"))
OPERATIONS = {
    name: text
    for name, text in vars(documents).items()
    if isinstance(text, str) and text.lstrip().startswith(("query", "mutation"))
} | {
    f"{name}.{part}": getattr(watched, part)
    for name, watched in vars(documents).items()
    if isinstance(watched, Watched)
    for part in ("query", "subscription")
}
INPUTS = [name for name, found in vars(inputs).items() if isinstance(found, type) and typing.is_typeddict(found)]
RESULTS = {
    "AnimationProps": results.AnimationProps,
    "BatchProgress": results.BatchProgress,
    "CancelBatchSuccess": results.BatchCancellation,
    "Composition": results.CompositionInfo,
    "DownloadUrl": results.DownloadUrl,
    "InputPathProblem": results.InputPathProblem,
    "InputProblem": results.InputProblem,
    "Render": results.Render,
    "RenderError": results.RenderFailure,
    "RenderOutput": results.RenderOutput,
    "RenderQuota": results.RenderQuota,
    "StartRendersSuccess": results.Batch,
}
NOT_OF_THE_TYPE = {"raw", "batch_id"}  # `Batch.batch_id` is that of the call


def fields_of(name: str) -> Mapping[str, Any]:
    found = SCHEMA.type_map[name]
    assert isinstance(found, GraphQLObjectType)
    fields: Mapping[str, Any] = found.fields
    return fields


def literals(hint: Any) -> Iterator[str]:
    """Yield the values of the literal types in a type."""
    if get_origin(hint) is Literal:
        yield from get_args(hint)
    else:
        for each in get_args(hint):
            yield from literals(each)


def accepts_none(hint: Any) -> bool:
    return type(None) in get_args(hint)


def assert_same_values(hint: Any, kind: GraphQLNamedType) -> None:
    """Check that a literal type has the values of an enum, and that only enums have literal types."""
    assert set(literals(hint)) == (set(kind.values) if isinstance(kind, GraphQLEnumType) else set())


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_valid_for_the_schema(name: str) -> None:
    assert validate(SCHEMA, parse(OPERATIONS[name])) == []


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_has_types_of_the_schema(name: str) -> None:
    fields = fields_of(name)
    for field, hint in get_type_hints(RESULTS[name]).items():
        if (key := camel_case(field)) in fields and field not in NOT_OF_THE_TYPE:
            assert accepts_none(hint) != is_non_null_type(fields[key].type), field
            assert_same_values(hint, get_named_type(fields[key].type))
        else:
            assert field in NOT_OF_THE_TYPE


@pytest.mark.parametrize("name", [name for name in INPUTS if name != "AnimationOptions"])
def test_an_input_has_the_fields_of_the_schema(name: str) -> None:
    kind = SCHEMA.type_map[name]
    assert isinstance(kind, GraphQLInputObjectType)
    given = vars(inputs)[name]
    hints = get_type_hints(given)
    assert hints.keys() == kind.fields.keys()
    for field, hint in hints.items():
        defined = kind.fields[field]
        assert (field in given.__required_keys__) == is_required_input_field(defined), field
        assert accepts_none(hint) != (is_non_null_type(defined.type) or kind.is_one_of), field
        assert_same_values(hint, get_named_type(defined.type))


def test_every_error_type_of_the_schema_is_an_exception() -> None:
    interface = SCHEMA.type_map["UserError"]
    assert isinstance(interface, GraphQLInterfaceType)
    assert USER_ERRORS.keys() == {each.name for each in SCHEMA.get_possible_types(interface)}
    assert USER_ERRORS.keys() <= set(rendercast.client.__all__)


def selected(selection: str) -> set[str]:
    """Return the names of the fields that a selection has at its top."""
    if not selection:
        return set()
    (operation,) = parse(f"{{ {selection} }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    return {each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)}


@pytest.mark.parametrize("name", USER_ERRORS)
def test_an_error_selects_all_fields_of_its_type(name: str) -> None:
    assert selected(USER_ERRORS[name].fields) | {"message"} == set(fields_of(name))


def selected_errors(document: str) -> set[str]:
    """Return the error types whose own fields an operation selects."""
    return {name for name in USER_ERRORS if f"... on {name} {{" in document}


@pytest.mark.parametrize("name", [name for name, text in OPERATIONS.items() if text.startswith("mutation")])
def test_a_mutation_selects_the_fields_of_all_its_errors(name: str) -> None:
    (operation, *_) = parse(OPERATIONS[name]).definitions
    assert isinstance(operation, OperationDefinitionNode)
    (field,) = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    union = get_named_type(fields_of("Mutation")[field.name.value].type)
    assert isinstance(union, GraphQLUnionType)
    errors = {each.name for each in union.types} & USER_ERRORS.keys()
    assert selected_errors(OPERATIONS[name]) == {each for each in errors if set(fields_of(each)) != {"message"}}
