"""What a GraphQL document asks for, counted before anything of it is validated or executed.

Every operation is walked as its execution would walk it, into a fragment each time it is spread, so that nothing is
counted short. The walk ends at the first limit it meets: however a document multiplies itself, it takes no more steps
than the limit on fields.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_introspection_type,
    is_list_type,
)
from strawberry.types.field import StrawberryField

from schema.render import READS_STORE
from services.errors import LimitExceeded
from services.renders.service import MAX_PAGE
from services.settings import Settings

LIST_SIZE = 10  # what a list counts for whose length no `first` tells
READ_COST = 25  # what a field counts for that may read from the store; others count 1
PAIRS_PER_FIELD = 4  # how many pairs of fields may ask for the same, for each field that is admitted

FIELDS = "fields, each counted wherever its fragment is spread"
PAIRS = "pairs of fields that ask for the same"
ALIASES = "aliases"
DIRECTIVES = "directives"
OPERATIONS = "operations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a document: how many fields its root has, and at most how many are resolved in all."""

    type: OperationType
    root_fields: int
    cost: int


@dataclass(slots=True)
class _Asked:
    """One place of an answer: how many fields of the document ask for it, and what they ask below it."""

    times: int = 0
    below: dict[str, "_Asked"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Selections that are to be counted: of which type, how often resolved, and where."""

    selections: SelectionSetNode
    parent: GraphQLNamedType | None
    times: int = 1
    list_size: int = LIST_SIZE
    depth: int = 1
    asked: dict[str, _Asked] = field(default_factory=dict)
    fragments: tuple[str, ...] = ()


def measure(document: DocumentNode, schema: GraphQLSchema, settings: Settings) -> dict[str | None, Operation]:
    """Return the document's operations by name. Raises a `GraphQLError` of a `LimitExceeded`.

    A document that isn't valid is counted as far as it can be understood; telling what is wrong is validation's work.
    """
    walk = _Walk(document, schema, settings)
    operations: dict[str | None, Operation] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            name = definition.name.value if definition.name else None
            operations[name] = walk.operation(definition)
    for fragment_name, fragment in walk.fragments.items():
        if fragment_name not in walk.spread:  # nothing executes it, but it is validated
            walk.definition(fragment, walk.type_of(fragment))
    return operations


class _Walk:
    def __init__(self, document: DocumentNode, schema: GraphQLSchema, settings: Settings) -> None:
        self.schema = schema
        self.max_depth = settings.max_query_depth
        self.max_cost = settings.max_query_cost
        self.most = {
            FIELDS: settings.max_query_fields,
            PAIRS: settings.max_query_fields * PAIRS_PER_FIELD,
            ALIASES: settings.max_query_aliases,
            DIRECTIVES: settings.max_query_aliases,
            OPERATIONS: settings.max_query_aliases,
        }
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.spread: set[str] = set()
        self.counted: Counter[str] = Counter()
        self.root_fields = 0
        self.cost = 0

    def operation(self, operation: OperationDefinitionNode) -> Operation:
        self.count(OPERATIONS, operation)
        for variable in operation.variable_definitions or ():
            self.count(DIRECTIVES, variable, len(variable.directives or ()))
        self.root_fields = self.cost = 0
        self.definition(operation, self.schema.get_root_type(operation.operation))
        return Operation(type=operation.operation, root_fields=self.root_fields, cost=self.cost)

    def definition(self, definition: ExecutableDefinitionNode, parent: GraphQLNamedType | None) -> None:
        self.count(DIRECTIVES, definition, len(definition.directives or ()))
        waiting = [_Part(selections=definition.selection_set, parent=parent)]
        while waiting:
            part = waiting.pop()
            for node in part.selections.selections:
                self.count(FIELDS, node)
                self.count(DIRECTIVES, node, len(node.directives or ()))
                if below := self.below(node, part):
                    waiting.append(below)

    def below(self, node: SelectionNode, part: _Part) -> _Part | None:
        """Count one selection; return those below it."""
        match node:
            case FieldNode():
                return self.field(node, part)
            case InlineFragmentNode():
                parent = self.type_of(node) if node.type_condition else part.parent
                return replace(part, selections=node.selection_set, parent=parent)
            case FragmentSpreadNode():
                return self.fragment(node.name.value, part)
        return None

    def fragment(self, name: str, part: _Part) -> _Part | None:
        fragment = self.fragments.get(name)
        if fragment is None or name in part.fragments:  # unknown, or a cycle
            return None
        self.spread.add(name)
        self.count(DIRECTIVES, fragment, len(fragment.directives or ()))
        return replace(
            part,
            selections=fragment.selection_set,
            parent=self.type_of(fragment),
            fragments=(*part.fragments, name),
        )

    def field(self, node: FieldNode, part: _Part) -> _Part | None:
        definition = _definition(part.parent, node.name.value)
        if node.alias:
            self.count(ALIASES, node)
        if part.depth > self.max_depth:
            raise _too_much(f"fields nested deeper than {self.max_depth}", node)
        self.root_fields += part.depth == 1
        self.resolve(node, part.times * _weight(part.parent, definition))
        asked = self.ask(node, part)
        if node.selection_set is None:
            return None
        return _Part(
            selections=node.selection_set,
            parent=get_named_type(definition.type) if definition else None,
            times=part.times * (part.list_size if _is_list(definition) else 1),
            list_size=_list_size(node, definition),
            depth=part.depth + 1,
            asked=asked.below,
            fragments=part.fragments,
        )

    def resolve(self, node: FieldNode, cost: int) -> None:
        self.cost += cost
        if self.cost > self.max_cost:
            raise _too_much(
                f"an answer that may be more than {self.max_cost} fields long",
                node,
                hint=f"Ask for a shorter page with `first` (a variable counts as {MAX_PAGE}), or for fewer fields.",
            )

    def ask(self, node: FieldNode, part: _Part) -> _Asked:
        """Count the fields met before that ask for the same: validation compares each two, and all below them."""
        asked = part.asked.setdefault((node.alias or node.name).value, _Asked())
        self.count(PAIRS, node, asked.times)
        asked.times += 1
        return asked

    def count(self, what: str, node: Node, number: int = 1) -> None:
        self.counted[what] += number
        if self.counted[what] > self.most[what]:
            raise _too_much(f"more than {self.most[what]} {what}", node)

    def type_of(self, fragment: FragmentDefinitionNode | InlineFragmentNode) -> GraphQLNamedType | None:
        condition = fragment.type_condition
        return self.schema.get_type(condition.name.value) if condition else None


def _definition(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    return parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None


def _weight(parent: GraphQLNamedType | None, definition: GraphQLField | None) -> int:
    """Return what a field counts for; nothing if it tells of the schema, which limits of validation bound."""
    if parent is None or definition is None or is_introspection_type(parent):
        return 0
    ours = definition.extensions.get("strawberry-definition")
    reads = isinstance(ours, StrawberryField) and (ours.is_async or READS_STORE in ours.metadata)
    return READ_COST if reads else 1


def _is_list(definition: GraphQLField | None) -> bool:
    return definition is not None and is_list_type(get_nullable_type(definition.type))


def _list_size(node: FieldNode, definition: GraphQLField | None) -> int:
    """Return how long the lists directly below a field may be: those of a connection as `first` says."""
    argument = definition.args.get("first") if definition else None
    if argument is None:
        return LIST_SIZE
    first = argument.default_value
    for given in node.arguments or ():
        if given.name.value == "first":
            first = given.value.value if isinstance(given.value, IntValueNode) else None
    return max(0, min(int(first), MAX_PAGE)) if len(str(first)) <= len(str(MAX_PAGE)) else MAX_PAGE


def _too_much(what: str, node: Node, *, hint: str = "Ask for less at once, or in several requests.") -> GraphQLError:
    message = f"This document has {what}. {hint}"
    return GraphQLError(message, node, original_error=LimitExceeded(message))
