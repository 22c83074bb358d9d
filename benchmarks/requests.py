"""The server's CPU time per HTTP request, beside GraphQL Yoga in Node, in alternating turns.

`python -m benchmarks.requests [turns]`, after `npm ci --prefix benchmarks/peers`. `benchmarks.http_servers` describes
the servers. Each gets requests of `CONNECTIONS` users at the same time, each over their own connection and with one
request at a time, after `WARM_UP` of each operation; each response is checked.
"""

import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop
from pymongo import MongoClient

from benchmarks.figures import Comparison, Figure
from benchmarks.http_servers import (
    CONNECTIONS,
    HttpServer,
    Operation,
    open_services_in_memory,
    rendercast_serve,
    running,
    serve,
    yoga,
)
from tests.support.mongo_server import MongoServer
from tests.support.redis_server import RedisServer

RENDERS = 20
WARM_UP = 1000  # V8 compiles what is called often; more does not change its figures
TURNS = 60
ROUNDS_PER_TURN = 4  # few, so that other load on the machine affects both servers equally
STARTING_USERS = "bob"  # not those whose renders are listed
START = """
mutation ($input: StartRenderInput!) {
  startRender(input: $input) {
    __typename
    ... on StartRenderSuccess { render { id status createdAt } quota { remaining } }
  }
}
"""
ANIMATION = {
    "text": "Hello",
    "style": "FADE_IN",
    "fontFamily": "Inter",
    "fontSize": 64,
    "color": "#ffffff",
    "durationInFrames": 90,
}
MISSING_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"


def _check_quota(data: Any) -> None:
    assert data["renderQuota"]["remaining"] > RENDERS, data
    assert data["renderQuota"]["resetsAt"].endswith(":00:00.000Z"), data


def _check_list(data: Any) -> None:
    nodes = [edge["node"] for edge in data["renders"]["edges"]]
    assert len({node["id"] for node in nodes}) == RENDERS, data
    assert all(node["status"] == "QUEUED" and node["progress"] == 0 and node["createdAt"] for node in nodes), data


def _check_render(data: Any) -> None:
    assert len(data["render"]["id"]) > 20, data
    assert data["render"]["status"] == "QUEUED", data


def _check_missing(data: Any) -> None:
    assert data == {"cancelRender": {"__typename": "RenderNotFound"}}, data


def _check_started(data: Any) -> None:
    assert data["startRender"]["__typename"] == "StartRenderSuccess", data
    assert data["startRender"]["render"]["status"] == "QUEUED", data


LIST = Operation(
    document="query ($n: Int!) { renders(first: $n) { edges { node { id status progress createdAt } } } }",
    variables={"n": RENDERS},
    check=_check_list,
)
START_RENDER = Operation(
    document=START, variables={"input": {"animationProps": ANIMATION}}, check=_check_started, user=STARTING_USERS
)
OPERATIONS = {
    "small query": Operation(document="{ renderQuota { remaining resetsAt } }", check=_check_quota),
    "list of 20": LIST,
    "one render": Operation(
        document="query ($id: ID!) { render(id: $id) { id status progress createdAt } }", check=_check_render
    ),
    "small mutation": Operation(
        document="mutation ($id: ID!) { cancelRender(renderId: $id) { __typename } }",
        variables={"id": MISSING_ID},
        check=_check_missing,
    ),
    "`startRender`": START_RENDER,
}


@dataclass(frozen=True)
class Pair:
    """Rendercast and its peer with the same kind of store. `aims` are ratios of the operations, in their order."""

    store: str
    rendercast: HttpServer
    peer: HttpServer
    aims: Sequence[float]
    database: MongoClient[dict[str, Any]] | None = None

    def delete_started(self) -> None:
        """Delete what has been started from MongoDB: the server of the tests takes longer for each stored document."""
        if self.database is not None:
            for name in ("rendercast", "yoga"):
                self.database[name]["renders"].delete_many({"owner": {"$regex": f"{STARTING_USERS}[0-9]+$"}})


def main(turns: int = TURNS) -> Sequence[Figure]:
    """Print the figures of all operations, and return their ratios to the peer."""
    ratios = []
    with pairs() as both:
        for pair in both:
            compared = Comparison(group=f"request, {pair.store}", compared_to="GraphQL Yoga")
            operations = [_warmed_up(pair, operation) for operation in OPERATIONS.values()]
            print(f"\n## Requests, {pair.store}: CPU time per request, medians of {turns} turns\n")
            print(
                "| | rendercast | GraphQL Yoga | ratio | quartiles of the ratio | aim |\n|---|---:|---:|---:|---:|---:|"
            )
            for name, of_servers, aim in zip(OPERATIONS, operations, pair.aims, strict=True):
                own, peer = _samples(pair, of_servers, turns)
                found = compared.ratio(name, own, peer, aim=aim)
                times = " | ".join(f"{statistics.median(each) * 1e6:.0f} µs" for each in (own, peer))
                spread = f"{found.low:.2f} to {found.high:.2f}"
                print(f"| {name} | {times} | {found.median:.2f} | {spread} | {aim} |", flush=True)
                ratios.append(found)
    return ratios


@contextmanager
def pairs() -> Iterator[Sequence[Pair]]:
    """Yield the pairs of servers, each with `RENDERS` renders of each user of the queries."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        redis, mongo = RedisServer(Path(folder)), MongoServer(Path(folder) / "mongo")
        for service in (redis, mongo):
            stack.callback(service.stop)
            service.start()
        own_url, peer_url = f"{mongo.url}/rendercast", f"{mongo.url}/yoga"
        both = (
            Pair(
                "store in memory",
                stack.enter_context(running("rendercast", "benchmarks.requests", f"{redis.url}/0")),
                stack.enter_context(yoga("GraphQL Yoga", f"{redis.url}/1")),
                (0.9, 0.9, 0.9, 0.9, 1.0),
            ),
            Pair(
                "MongoDB",
                stack.enter_context(rendercast_serve("rendercast", f"{redis.url}/2", own_url)),
                stack.enter_context(yoga("GraphQL Yoga", f"{redis.url}/3", peer_url)),
                (1.0, 1.0, 1.0, 1.0, 1.0),
                stack.enter_context(MongoClient[dict[str, Any]](mongo.url)),
            ),
        )
        for pair in both:
            for server in (pair.rendercast, pair.peer):
                for operation in _of_each_user(replace(START_RENDER, user=LIST.user), server):
                    for _ in range(RENDERS):
                        server.request(operation)
        yield both


def _warmed_up(pair: Pair, operation: Operation) -> dict[HttpServer, Sequence[Operation]]:
    """Send the operation to both servers `WARM_UP` times; return it as its users send it to each of them."""
    servers = (pair.rendercast, pair.peer)
    operations = {server: _of_each_user(operation, server) for server in servers}
    for _ in range(WARM_UP // (CONNECTIONS * ROUNDS_PER_TURN)):
        for server in servers:
            server.cpu_s_per_request(operations[server], ROUNDS_PER_TURN)
        pair.delete_started()
    return operations


def _samples(pair: Pair, operations: dict[HttpServer, Sequence[Operation]], turns: int) -> Sequence[list[float]]:
    """Return the CPU seconds per request of both servers, measured in alternating turns."""
    samples: dict[HttpServer, list[float]] = {server: [] for server in operations}
    for turn in range(turns):
        for server in operations if turn % 2 else reversed(operations):
            samples[server].append(server.cpu_s_per_request(operations[server], ROUNDS_PER_TURN))
        pair.delete_started()
    return list(samples.values())


def _of_each_user(operation: Operation, server: HttpServer) -> Sequence[Operation]:
    """Return the operation of each user, with the id of one of the user's renders if it needs one."""
    found = [replace(operation, user=f"{operation.user}{number}") for number in range(CONNECTIONS)]
    if operation.check is _check_render:
        lists = [server.request(replace(LIST, user=each.user))["renders"]["edges"] for each in found]
        found = [
            replace(each, variables={"id": edges[0]["node"]["id"]}) for each, edges in zip(found, lists, strict=True)
        ]
    return found


async def _serve_in_memory(file_descriptor: str, redis_url: str) -> None:
    async with open_services_in_memory(redis_url) as services:
        await serve(services, socket.socket(fileno=int(file_descriptor)))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        uvloop.run(_serve_in_memory(*sys.argv[1:]))
    else:
        main(*map(int, sys.argv[1:]))
