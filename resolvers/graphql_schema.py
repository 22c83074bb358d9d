"""The roots put together into the executable schema."""

from collections.abc import Iterator
from contextlib import suppress

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry import Schema
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from resolvers.errors import ClientErrors
from resolvers.execution import FlatMemoryExecutor
from resolvers.mutation import Mutation
from resolvers.query import Query
from resolvers.subscription import Subscription
from schema.render import Render
from schema.scalars import SCALARS

CACHED_DOCUMENTS = 500


class RendercastSchema(Schema):
    """Leaves logging to `ClientErrors`, which tells clients' mistakes from ours."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing here."""


class CalmParserCache(ParserCache):
    """Leaves syntax errors to the executor, which makes a result of them; raised here, they would escape it."""

    def on_parse(self) -> Iterator[None]:
        """Take the document from the cache, if it is one."""
        context = self.execution_context
        with suppress(GraphQLSyntaxError):
            context.graphql_document = self.cached_parse_document(context.query, **context.parse_options)
        yield


def build_schema() -> RendercastSchema:
    """Return the schema that `schema/schema.graphql` is exported from."""
    return RendercastSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Render],
        config=StrawberryConfig(scalar_map=SCALARS),
        execution_context_class=FlatMemoryExecutor,
        extensions=[
            lambda: CalmParserCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
            ClientErrors,
        ],
    )
