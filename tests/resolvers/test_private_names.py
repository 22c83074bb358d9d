"""The names of Strawberry and graphql-core that the API relies on although they aren't documented.

A failure means that another version of the library changed one of them. Adapt the module named in the message, and
raise the library's bound in `pyproject.toml`. Only public names are imported here, so that a private name that is gone
fails with that message and not as an `ImportError` of this file.
"""

import inspect
import pkgutil
from typing import Annotated, Any

import pytest
import strawberry

SCHEMA = "resolvers/schema.py"
EXECUTOR = "resolvers/execution/executor.py"
SHAPES = "resolvers/execution/shapes.py"
FIELDS = "resolvers/strawberry_fields.py"
DOCUMENTS = "resolvers/admission/documents.py"
INPUTS = "resolvers/strawberry_inputs.py"
COMPILED = "resolvers/compiled_subscriptions.py"

NAMES = [
    (SCHEMA, "strawberry.schema._graphql_core:ResultType"),
    (SCHEMA, "strawberry.schema.exceptions:InvalidOperationTypeError"),
    (SCHEMA, "strawberry.types.execution:PreExecutionError"),
    (SCHEMA, "strawberry.extensions.runner:SchemaExtensionsRunner"),
    (SCHEMA, "strawberry.execution.is_awaitable:optimized_is_awaitable"),
    (INPUTS, "strawberry.types.arguments:InputContext"),
    (INPUTS, "strawberry.types.base:StrawberryList"),
    (INPUTS, "strawberry.types.base:StrawberryObjectDefinition.from_input"),
    (INPUTS, "strawberry.types.base:StrawberryOptional"),
    (INPUTS, "strawberry.types.enum:StrawberryEnumDefinition"),
    (EXECUTOR, "strawberry.schema.schema:StrawberryGraphQLCoreExecutionContext"),
    (EXECUTOR, "graphql:Executor.is_awaitable"),
    (COMPILED, "graphql:Executor.build"),
    (SHAPES, "graphql.execution.collect_fields:FragmentDetails.definition"),
    (SHAPES, "graphql.execution.collect_fields:CollectedFields.grouped_field_set"),
    (SHAPES, "graphql.execution.collect_fields:FieldDetails.node"),
    (SHAPES, "graphql.execution.collect_fields:FieldDetails.fragment_variable_values"),
    (DOCUMENTS, "strawberry.schema.validation_rules.maybe_null:MaybeNullValidationRule"),
    (DOCUMENTS, "strawberry.schema.validation_rules.one_of:OneOfInputValidationRule"),
]
PARAMETERS = [
    (SCHEMA, "strawberry:Schema._prepare_operation_async", "self context extensions_runner"),
    (
        SCHEMA,
        "strawberry:Schema._handle_execution_result",
        "self context result extensions_runner skip_process_errors",
    ),
    (SCHEMA, "strawberry:Schema.process_errors", "self errors execution_context"),
    (EXECUTOR, "graphql:Executor.execute_operation", "self serially"),
    (EXECUTOR, "graphql:Executor.build_per_event_executor", "self payload"),
    (
        EXECUTOR,
        "graphql:Executor.execute_collected_root_fields",
        "self root_type root_value grouped_field_set serially new_defer_usages",
    ),
    (
        EXECUTOR,
        "graphql:Executor.execute_fields",
        "self parent_type source_value path grouped_field_set position_context",
    ),
    (
        EXECUTOR,
        "graphql:Executor.execute_field",
        "self parent_type source field_details_list path position_context",
    ),
    (EXECUTOR, "graphql:Executor.settle_in_background", "self awaitables"),
    (
        EXECUTOR,
        "graphql:Executor.complete_object_value",
        "self return_type field_details_list info path result position_context",
    ),
    (
        EXECUTOR,
        "graphql:Executor.complete_list_value",
        "self return_type field_details_list info path result position_context",
    ),
    (
        EXECUTOR,
        "graphql:Executor.complete_list_item_value",
        "self item complete_results item_type field_details_list info item_path position_context",
    ),
    (
        EXECUTOR,
        "graphql:Executor.complete_awaitable_value",
        "self return_type field_details_list info path result position_context",
    ),
    (
        SCHEMA,
        "strawberry:Schema.execute",
        (
            "self query variable_values context_value root_value operation_name allowed_operation_types "
            "operation_extensions"
        ),
    ),
    (
        SHAPES,
        "graphql.execution.collect_fields:collect_fields",
        (
            "schema fragments variable_values runtime_type operation hide_suggestions forbid_skip_and_include "
            "on_selection_set"
        ),
    ),
    (
        SHAPES,
        "graphql.execution.collect_fields:collect_subfields",
        "schema fragments variable_values operation return_type field_details_list hide_suggestions",
    ),
    (
        SHAPES,
        "graphql.execution.values:get_argument_values",
        "type_def node variable_values fragment_variable_values hide_suggestions",
    ),
    (FIELDS, "strawberry.utils.str_converters:to_camel_case", "snake_str"),
]


def library_object(module: str, path: str) -> Any:
    """Return what the path names, or fail with a message that names the module that uses it."""
    try:
        return pkgutil.resolve_name(path)
    except (ImportError, AttributeError):
        return pytest.fail(f"{path} no longer exists, but {module} uses it.")


@pytest.mark.parametrize(("module", "path"), NAMES)
def test_a_name_exists(module: str, path: str) -> None:
    library_object(module, path)


@pytest.mark.parametrize(("module", "path", "parameters"), PARAMETERS)
def test_a_function_has_the_parameters_that_it_is_called_or_overridden_with(
    module: str, path: str, parameters: str
) -> None:
    found = " ".join(inspect.signature(library_object(module, path)).parameters)
    assert found == parameters, f"{path} now takes ({found}), but {module} was written for ({parameters})."


@strawberry.type
class Query:
    @strawberry.field
    def one(self) -> int:
        return 1

    @strawberry.field
    def counted(
        self,
        first_item: int = 1,
        other_item: Annotated[int, strawberry.argument(name="LAST")] = 1,
    ) -> int:
        return first_item + other_item


class RecordingSchema(strawberry.Schema):
    """Records which of the overridden methods are called."""

    called: set[str]

    async def _prepare_operation_async(self, *args: Any, **options: Any) -> Any:
        self.called.add("_prepare_operation_async")
        return await super()._prepare_operation_async(*args, **options)

    async def _handle_execution_result(self, *args: Any, **options: Any) -> Any:
        self.called.add("_handle_execution_result")
        return await super()._handle_execution_result(*args, **options)


async def test_strawberry_calls_the_methods_that_are_overridden() -> None:
    schema = RecordingSchema(query=Query)
    schema.called = set()
    results = await schema.stream("{ one }")
    assert [getattr(result, "data", None) async for result in results] == [{"one": 1}]
    missing = {"_prepare_operation_async", "_handle_execution_result"} - schema.called
    assert not missing, f"strawberry.Schema.stream no longer calls {missing}, which {SCHEMA} overrides."


def test_the_executor_has_the_base_class_and_the_attributes_that_are_used() -> None:
    executor = library_object(EXECUTOR, "graphql:Executor")
    base = library_object(EXECUTOR, "strawberry.schema.schema:StrawberryGraphQLCoreExecutionContext")
    assert issubclass(base, executor), f"{base} is no longer an Executor, but {EXECUTOR} overrides methods of it."
    used = {
        "schema",
        "fragments",
        "variable_values",
        "operation",
        "context_value",
        "collected_errors",
        "background_futures",
    }
    missing = used - set(inspect.get_annotations(executor)) - set(dir(executor))
    assert not missing, f"graphql.Executor no longer has {missing}, but {EXECUTOR} uses it."
    errors = library_object(EXECUTOR, "graphql.execution.executor:CollectedErrors")()
    assert hasattr(errors, "errors"), f"CollectedErrors no longer has errors, but {EXECUTOR} uses it."


def test_the_execution_context_has_the_operation_name_of_the_request() -> None:
    source = inspect.getsource(library_object(SCHEMA, "strawberry.types:ExecutionContext"))
    assert "self._provided_operation_name =" in source, (
        f"strawberry.types.ExecutionContext no longer sets _provided_operation_name, but {SCHEMA} uses it."
    )


def test_the_schema_has_graphql_cores_schema_with_strawberrys_definitions() -> None:
    schema: Any = strawberry.Schema(query=Query)
    assert hasattr(schema, "_schema"), f"strawberry.Schema no longer has _schema, but {SCHEMA} uses it."
    query = schema._schema.query_type
    definition = query.fields["one"].extensions.get("strawberry-definition")
    assert definition is not None, f'Fields no longer have the extension "strawberry-definition", but {FIELDS} uses it.'
    resolver = getattr(definition, "base_resolver", None)
    assert resolver is not None, f"Fields no longer have base_resolver, but {FIELDS} uses it."
    arguments = query.fields["counted"].extensions["strawberry-definition"].arguments
    names = [(getattr(each, "python_name", None), getattr(each, "graphql_name", "")) for each in arguments]
    expected = [("first_item", None), ("other_item", "LAST")]
    assert names == expected, f"Arguments no longer have python_name and graphql_name, but {FIELDS} uses them."
    for name in ("wrapped_func", "is_async", "info_parameter", "parent_parameter"):
        assert hasattr(resolver, name), f"Resolvers no longer have {name}, but {FIELDS} uses it."
    origin = getattr(query.extensions.get("strawberry-definition"), "origin", None)
    assert origin is Query, f"Types no longer have the origin of their definition, but {FIELDS} uses it."
