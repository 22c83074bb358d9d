"""Arguments and input objects are equal to those that Strawberry makes itself."""

from typing import Any

import pytest
from graphql import GraphQLInputObjectType, Undefined, coerce_input_value, is_input_object_type, is_list_type
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.types.arguments import convert_argument, convert_arguments

from resolvers.schema import build_schema
from resolvers.strawberry_fields import DEFINITION, python_class
from resolvers.strawberry_inputs import argument_converter

SCHEMA = build_schema()
CORE = SCHEMA.core_schema
INPUTS = sorted(name for name, type_ in CORE.type_map.items() if is_input_object_type(type_))
ROOTS = [root for root in (CORE.query_type, CORE.mutation_type) if root is not None]
FIELDS = {name: field for root in ROOTS for name, field in root.fields.items() if field.args}
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "String": st.text(max_size=5),
    "ID": st.text(max_size=5),
    "Int": st.integers(-5, 5),
    "Float": st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.booleans(),
    "JSON": st.just({"a": [1]}),
}


def values(type_: Any) -> st.SearchStrategy[Any]:
    """Return values of an input type as a client sends them."""
    if hasattr(type_, "of_type"):
        return st.lists(values(type_.of_type), max_size=2) if is_list_type(type_) else values(type_.of_type)
    if isinstance(type_, GraphQLInputObjectType):
        return objects(type_)
    return st.sampled_from(sorted(type_.values)) if hasattr(type_, "values") else LEAVES[type_.name]


def objects(type_: GraphQLInputObjectType) -> st.SearchStrategy[Any]:
    members = {name: values(field.type) for name, field in type_.fields.items()}
    if type_.extensions[DEFINITION].is_one_of:
        return st.one_of([st.fixed_dictionaries({name: member}) for name, member in members.items()])
    required = {
        name for name, field in type_.fields.items() if str(field.type).endswith("!") and not has_default(field)
    }
    return st.fixed_dictionaries(
        {name: member for name, member in members.items() if name in required},
        optional={
            name: member if str(type_.fields[name].type).endswith("!") else st.none() | member
            for name, member in members.items()
            if name not in required
        },
    )


def has_default(field: Any) -> bool:
    return field.default_value is not Undefined or field.default is not None


@pytest.mark.parametrize("name", INPUTS)
@settings(max_examples=15)
@given(data=st.data())
def test_an_object_equals_the_one_that_strawberry_makes(name: str, data: st.DataObject) -> None:
    type_: Any = CORE.type_map[name]
    coerced = coerce_input_value(data.draw(objects(type_)), type_)
    made = convert(coerced, python_class(type_))
    definitions = [CORE.type_map[each].extensions[DEFINITION] for each in INPUTS]
    hooks = [each.from_input for each in definitions]
    assert all(hooks)
    try:
        for each in definitions:
            each.from_input = None
        expected = convert(coerced, python_class(type_))
    finally:
        for each, hook in zip(definitions, hooks, strict=True):
            each.from_input = hook
    assert made == expected


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=15)
@given(data=st.data())
def test_the_arguments_of_a_field_equal_those_that_strawberry_makes(name: str, data: st.DataObject) -> None:
    field = FIELDS[name]
    given_values = {
        argument: coerce_input_value(data.draw(values(each.type)), each.type)
        for argument, each in field.args.items()
        if str(each.type).endswith("!") or data.draw(st.booleans())
    }
    definition = field.extensions[DEFINITION]
    registry = SCHEMA.schema_converter.scalar_registry
    expected = convert_arguments(given_values, definition.arguments, registry, SCHEMA.config)
    assert argument_converter(definition)(given_values) == expected


def test_all_fields_of_queries_and_mutations_have_compiled_resolvers() -> None:
    modules = {field.resolve.__module__ for root in ROOTS for field in root.fields.values() if field.resolve}
    assert modules == {"resolvers.strawberry_resolvers"}


def convert(value: object, class_: type) -> object:
    return convert_argument(value, class_, SCHEMA.schema_converter.scalar_registry, SCHEMA.config)
