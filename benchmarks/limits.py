"""CPU cost of the document limits: the same operations with and without them, in alternating turns.

HTTP is not included, so the share of a whole request is smaller.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from graphql import parse, validate
from strawberry import Schema
from strawberry.extensions import MaskErrors, ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.admission.cost import MeasuredOperation, measure
from resolvers.admission.documents import AcceptedDocument
from resolvers.context import Context
from resolvers.mutation import Mutation
from resolvers.query import Query
from resolvers.schema import RendercastSchema
from resolvers.subscription import Subscription
from schema.render import Render
from schema.scalars import SCALARS
from services.clock import SystemClock
from services.models import Caller, Identity
from services.realtime.pubsub import open_pubsub
from services.runtime.services import compose
from services.settings import GraphQLSettings, default_settings
from tests.support.api_client import LIST, START
from tests.support.memory_store import MemoryStore

SETTINGS = default_settings(max_mutations_per_minute=10_000_000)
QUERY = "query ($n: Int!) { renders(first: $n) { edges { node { id status } } } renderQuota { remaining } }"
MUTATION = 'mutation { cancelRender(renderId: "01hzzzzzzzzzzzzzzzzzzzzzzz") { __typename } }'
TURNS = 31
EXECUTIONS_PER_TURN = 100


class Unlimited(RendercastSchema):
    """The schema without limits: documents are only parsed, validated and cached."""

    def __init__(self, settings: GraphQLSettings) -> None:
        super().__init__(settings)
        self.execution_context_class = StrawberryGraphQLCoreExecutionContext

    def _admit(self, accepted: AcceptedDocument, request: object) -> MeasuredOperation:
        del request
        return accepted.operation(None)


def stock() -> Schema:
    """Return the schema with Strawberry's own caches and error masking, and no limits."""
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Render],
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[lambda: ParserCache(maxsize=500), lambda: ValidationCache(maxsize=500), MaskErrors],
    )


def main() -> None:
    schemas = {
        "limits": RendercastSchema(SETTINGS.graphql),
        "none": Unlimited(SETTINGS.graphql),
        "Strawberry's caches": stock(),
    }
    print("\n## Limits on documents: CPU time of an operation whose document is cached\n")
    print("| | " + " | ".join(schemas) + " | limits add |\n|---|" + "---:|" * (len(schemas) + 1))
    for name, document, variables in (("query", QUERY, {"n": 10}), ("mutation", MUTATION, {})):
        row = asyncio.run(repeated(schemas, document, variables))
        cells = " | ".join(f"{row[each] * 1e6:.0f} µs" for each in schemas)
        print(f"| small {name} | {cells} | {(row['limits'] / row['none'] - 1) * 100:.1f} % |")
    print("\n## The same for a document that is not cached\n")
    print("| | parse and validate | count | limits add |\n|---|---:|---:|---:|")
    core = RendercastSchema(SETTINGS.graphql).core_schema
    for name, document in (("small query", QUERY), ("LIST of the tests", LIST), ("START of the tests", START)):
        parsed = parse(document)
        row = alternating(
            {
                "check": lambda document=document: validate(core, parse(document)),  # type: ignore[misc]
                "count": lambda parsed=parsed: measure(parsed, core, SETTINGS.graphql),  # type: ignore[misc]
            }
        )
        share = row["count"] / row["check"] * 100
        print(f"| {name} | {row['check'] * 1e6:.0f} µs | {row['count'] * 1e6:.0f} µs | {share:.1f} % |")


async def repeated(schemas: dict[str, Any], document: str, variables: dict[str, Any]) -> dict[str, float]:
    """Return the CPU seconds of one operation on each schema: medians of turns."""
    async with open_pubsub("memory://") as pubsub:
        clock = SystemClock()
        services = compose(
            SETTINGS, clock=clock, store=MemoryStore(clock), pubsub=pubsub, backend=None, with_worker=False
        )
        identity = Identity(caller=Caller(id="ann"))
        context = Context(services=services, identity=identity)
        samples: dict[str, list[float]] = {name: [] for name in schemas}
        for _ in range(TURNS):
            for name, schema in schemas.items():
                gc.collect()
                started = time.process_time()
                for _ in range(EXECUTIONS_PER_TURN):
                    await schema.execute(document, variable_values=variables, context_value=context)
                samples[name].append((time.process_time() - started) / EXECUTIONS_PER_TURN)
    return {name: statistics.median(seconds) for name, seconds in samples.items()}


def alternating(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the CPU seconds of one call of each function: medians of turns."""
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(TURNS):
        for name, function in functions.items():
            started = time.process_time()
            for _ in range(10):
                function()
            samples[name].append((time.process_time() - started) / 10)
    return {name: statistics.median(seconds) for name, seconds in samples.items()}


if __name__ == "__main__":
    main()
