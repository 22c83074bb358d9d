"""Random valid queries and mutations, for the renders of `random_subscriptions`."""

from typing import Any

from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType, get_named_type, is_composite_type
from hypothesis import strategies as st

from services.renders.cursors import encode_cursor
from tests.resolvers.execution.random_subscriptions import CONDITIONS, CORE, Writer

ID = "01hzzzzzzzzzzzzzzzzzzzzzz"  # and one digit: the ids of the stored renders
QUERIES = (
    (f'render(id: "{ID}1")', "Render"),
    ("render(id: $id)", "Render"),
    ("node(id: $id)", "Node"),
    (f'node(id: "{ID}9")', "Node"),  # there is none
    ("renders(first: 2)", "RenderConnection"),
    ("renders(last: $two)", "RenderConnection"),
    ("renders(first: 0)", "RenderConnection"),  # an error
    (f'renders(first: 1, after: "{encode_cursor(f"{ID}3", owner="ann")}")', "RenderConnection"),
    (f'renders(last: 1, before: "{encode_cursor(f"{ID}1", owner="ann")}")', "RenderConnection"),
    ('batchProgress(batchId: "batch")', "BatchProgress"),
    ("renderQuota", "RenderQuota"),
    ("renderLimits", "RenderLimits"),
    ("compositions", "Composition"),
    ('composition(id: "TextAnimation")', "Composition"),
)
MUTATIONS = (
    ("cancelRender(renderId: $id)", "CancelRenderResult"),
    (f'cancelRender(renderId: "{ID}9")', "CancelRenderResult"),
    ('cancelBatch(batchId: "batch")', "CancelBatchResult"),
    ("refreshDownloadUrl(renderId: $id)", "RefreshDownloadUrlResult"),
    ("deleteRender(renderId: $id)", "DeleteRenderResult"),
    ('startRender(input: {animationProps: {text: "Hello"}})', "StartRenderResult"),
    ('startRender(input: {animationProps: {text: ""}, idempotencyKey: ""})', "StartRenderResult"),
)
VARIABLES: dict[str, Any] = {"id": f"{ID}2", "two": 2, "yes": True, "no": False}


class OperationWriter(Writer):
    """Writes queries and mutations. With `constant`, only root fields have variables."""

    def operation(self, kind: str, *, constant: bool) -> str:
        roots = [self.root(number, QUERIES if kind == "query" else MUTATIONS) for number in range(self.draw(COUNTS))]
        text = "\n".join([f"{{ {' '.join(roots)} }}", *self.fragments])
        if constant:
            text = text.replace("$yes", "true").replace("$no", "false")
        types = {"id": "ID!", "two": "Int!", "yes": "Boolean!", "no": "Boolean! = false"}
        used = ", ".join(f"${name}: {type_}" for name, type_ in types.items() if f"${name}" in text)
        return f"{kind} {f'({used})' if used else ''} {text}"

    def root(self, number: int, roots: tuple[tuple[str, str], ...]) -> str:
        field, type_name = self.draw(st.sampled_from(roots))
        condition = self.draw(st.sampled_from(["", "", *CONDITIONS]))
        text = f"r{number}: {field} {condition} {self.selection(type_name, depth=3)}"
        return f"... {{ {text} }}" if self.draw(st.booleans()) else text

    def part(self, type_name: str, depth: int) -> str:
        type_ = CORE.type_map[type_name]
        if isinstance(type_, GraphQLUnionType):
            member = self.draw(st.sampled_from(type_.types)).name
            return f"... on {member} {self.selection(member, depth=max(0, depth - 1))}"
        if isinstance(type_, GraphQLInterfaceType) and type_name != "Node":
            return self.field(type_name, depth, "")
        return super().part(type_name, depth)

    def field(self, type_name: str, depth: int, condition: str) -> str:
        type_ = CORE.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        often = {"Render": ["queuePosition"] * 3, "RenderConnection": ["edges"] * 5, "RenderEdge": ["node"] * 3}
        often["RenderConnection"].append("pageInfo")
        name = self.draw(st.sampled_from([*type_.fields, "__typename", *often.get(type_name, ())]))
        if name == "outputUrl":
            return f"{self.output_url()} {condition}"
        alias = f"{self.draw(st.sampled_from('ab'))}_{name}: " if self.draw(st.booleans()) else ""
        inner = ""
        if name != "__typename" and is_composite_type(get_named_type(type_.fields[name].type)):
            inner = self.selection(get_named_type(type_.fields[name].type).name, depth=max(0, depth - 1))
        return f"{alias}{name} {condition} {inner}"


COUNTS = st.sampled_from([1, 1, 1, 2, 3])
