"""Measures the cost (complexity) of a GraphQL document before it is validated or executed.

An operation is traversed as its execution would traverse it: a fragment is entered each time it is spread. The measured
cost is therefore never lower than that of the execution. The traversal stops at the first limit that is exceeded, so it
takes no more steps than the limit on fields, even if fragments multiply a small document.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    GraphQLType,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    type_from_ast,
)

from resolvers.admission.field_costs import (
    DEFAULT_LIST_SIZE,
    field_cost,
    is_list,
    list_size,
    max_items,
    named_definition,
)
from resolvers.admission.introspection import (
    META_FIELDS,
    Sizes,
    introspection_sizes,
    is_introspection,
)
from resolvers.execution.selections import Selections
from services.errors import LimitExceeded
from services.renders.pages import MAX_PAGE
from services.settings import GraphQLSettings

PAIRS_PER_FIELD = 4  # maximum number of pairs of fields with the same response key, per field of the limit

FIELDS = "fields, each counted wherever its fragment is spread"
PAIRS = "pairs of fields with the same response name"
ALIASES = "aliases"
DIRECTIVES = "directives"
OPERATIONS = "operations"
INTROSPECTIONS = "fields `__schema`"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOperation:
    """One operation of a document. `cost` is an upper bound on the weighted number of fields that it resolves.

    `fields` is the number of fields that it selects, each counted wherever its fragment is spread. `variable_types` are
    the types of its variables by name. `introspects` is whether it reads the schema's description. `selections` are
    compiled when the operation is executed again.
    """

    type: OperationType
    fields: int
    root_fields: int
    cost: float
    introspects: bool
    variable_types: Mapping[str, GraphQLType | None]
    selections: Selections


@dataclass(slots=True)
class _ResponseKey:
    """One key of the response: how many fields of the document produce it, and the keys below it."""

    fields: int = 0
    children: dict[str, "_ResponseKey"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """A selection set to measure: its parent type, how many times it may be resolved, and its place in the response."""

    node: SelectionSetNode
    parent: GraphQLNamedType | None
    times: float = 1
    list_size: int = DEFAULT_LIST_SIZE
    depth: int = 1
    response_keys: dict[str, _ResponseKey] = field(default_factory=dict)
    fragments: tuple[str, ...] = ()


def measure(
    document: DocumentNode, schema: GraphQLSchema, settings: GraphQLSettings
) -> dict[str | None, MeasuredOperation]:
    """Return the document's operations by name. Raises a `GraphQLError` with a `LimitExceeded` as its original error.

    An invalid document is measured as far as possible: validation reports its errors.
    """
    walk = _Walk(document, schema, settings)
    operations: dict[str | None, MeasuredOperation] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            name = definition.name.value if definition.name else None
            operations[name] = walk.operation(definition)
    for fragment_name, fragment in walk.fragments.items():
        if fragment_name not in walk.spread:  # not executed, but validated
            walk.definition(fragment, walk.type_of(fragment))
    return operations


class _Walk:
    def __init__(self, document: DocumentNode, schema: GraphQLSchema, settings: GraphQLSettings) -> None:
        self.schema = schema
        self.max_depth = settings.max_query_depth
        self.max_cost = settings.max_query_cost
        self.max_counts = {
            FIELDS: settings.max_query_fields,
            PAIRS: settings.max_query_fields * PAIRS_PER_FIELD,
            ALIASES: settings.max_query_aliases,
            DIRECTIVES: settings.max_query_aliases,
            OPERATIONS: settings.max_query_aliases,
            INTROSPECTIONS: 1,
        }
        self.sizes: Sizes = introspection_sizes(schema)
        self.introspects = False
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.spread: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.root_fields = 0
        self.cost: float = 0

    def operation(self, operation: OperationDefinitionNode) -> MeasuredOperation:
        self.count(OPERATIONS, operation)
        types = {}
        for variable in operation.variable_definitions or ():
            self.count(DIRECTIVES, variable, len(variable.directives or ()))
            types[variable.variable.name.value] = type_from_ast(self.schema, variable.type)
        self.root_fields = self.cost = 0
        self.introspects = False
        fields_before = self.counts[FIELDS]
        self.definition(operation, self.schema.get_root_type(operation.operation))
        fields = self.counts[FIELDS] - fields_before
        return MeasuredOperation(
            type=operation.operation,
            fields=fields,
            root_fields=self.root_fields,
            cost=self.cost,
            introspects=self.introspects,
            variable_types=types,
            selections=Selections(fields),
        )

    def definition(self, definition: ExecutableDefinitionNode, parent: GraphQLNamedType | None) -> None:
        self.count(DIRECTIVES, definition, len(definition.directives or ()))
        pending = [_Selection(node=definition.selection_set, parent=parent)]
        while pending:
            selection = pending.pop()
            for node in selection.node.selections:
                self.count(FIELDS, node)
                self.count(DIRECTIVES, node, len(node.directives or ()))
                if child := self.child(node, selection):
                    pending.append(child)

    def child(self, node: SelectionNode, selection: _Selection) -> _Selection | None:
        """Measure one node of a selection; return the selection below it."""
        match node:
            case FieldNode():
                return self.field(node, selection)
            case InlineFragmentNode():
                parent = self.type_of(node) if node.type_condition else selection.parent
                return replace(selection, node=node.selection_set, parent=parent)
            case FragmentSpreadNode():
                return self.fragment(node.name.value, selection)
        return None

    def fragment(self, name: str, selection: _Selection) -> _Selection | None:
        fragment = self.fragments.get(name)
        if fragment is None or name in selection.fragments:  # unknown, or a cycle
            return None
        self.spread.add(name)
        self.count(DIRECTIVES, fragment, len(fragment.directives or ()))
        return replace(
            selection,
            node=fragment.selection_set,
            parent=self.type_of(fragment),
            fragments=(*selection.fragments, name),
        )

    def field(self, node: FieldNode, selection: _Selection) -> _Selection | None:
        definition = named_definition(selection.parent, node.name.value)
        if node.alias:
            self.count(ALIASES, node)
        if definition in META_FIELDS.values():
            self.introspects = True
            self.count(INTROSPECTIONS, node, definition is META_FIELDS["__schema"])
        if selection.depth > self.max_depth:
            raise _limit_exceeded(f"has fields nested deeper than {self.max_depth}", node)
        self.root_fields += selection.depth == 1
        self.add_cost(node, selection.times * field_cost(selection.parent, definition))
        response_key = self.count_response_key(node, selection)
        if node.selection_set is None:
            return None
        return _Selection(
            node=node.selection_set,
            parent=get_named_type(definition.type) if definition else None,
            times=selection.times * self.size(selection, node, definition),
            list_size=list_size(node, definition),
            depth=selection.depth + 1,
            response_keys=response_key.children,
            fragments=selection.fragments,
        )

    def size(self, selection: _Selection, node: FieldNode, definition: GraphQLField | None) -> float:
        """Return how many objects a field returns at most; of an introspection field, how many on average."""
        if is_introspection(selection.parent):
            return self.sizes.get(node.name.value, 1)
        return max_items(definition) or selection.list_size if is_list(definition) else 1

    def add_cost(self, node: FieldNode, cost: float) -> None:
        self.cost += cost
        if self.cost > self.max_cost:
            raise _limit_exceeded(
                f"may return more than {self.max_cost} fields",
                node,
                hint=f"Request a shorter page with `first` (a variable counts as {MAX_PAGE}), or fewer fields.",
            )

    def count_response_key(self, node: FieldNode, selection: _Selection) -> _ResponseKey:
        """Count the pairs that this field forms with earlier ones of the same key: validation compares each pair."""
        key = selection.response_keys.setdefault((node.alias or node.name).value, _ResponseKey())
        self.count(PAIRS, node, key.fields)
        key.fields += 1
        return key

    def count(self, what: str, node: Node, number: int = 1) -> None:
        self.counts[what] += number
        if self.counts[what] > self.max_counts[what]:
            raise _limit_exceeded(f"has more than {self.max_counts[what]} {what}", node)

    def type_of(self, fragment: FragmentDefinitionNode | InlineFragmentNode) -> GraphQLNamedType | None:
        condition = fragment.type_condition
        return self.schema.get_type(condition.name.value) if condition else None


def _limit_exceeded(
    what: str, node: Node, *, hint: str = "Request less, or split the operation into several."
) -> GraphQLError:
    message = f"This document {what}. {hint}"
    return GraphQLError(message, node, original_error=LimitExceeded(message))
