"""The server's CPU time per `startRender`, with a composition and with `animationProps`, in alternating turns.

`python -m benchmarks.starts [turns]`. The server is `rendercast serve` with tokens and limits, and with MongoDB through
motor as its store. Every start is successful: each stores a render and takes a unit of quota.
"""

import json
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import truediv
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.http_servers import SETTINGS, Operation, running, serve
from services.clock import SystemClock
from services.models import Catalog, Composition
from services.realtime.pubsub import open_pubsub
from services.runtime.motor_client import motor_client
from services.runtime.services import Services, compose
from services.stores.mongo import open_mongo_store
from tests.support.api_compositions import composition
from tests.support.fake_backend import ANIMATION, FakeBackend
from tests.support.mongo_server import MongoServer

TURNS = 40
STARTS_PER_TURN = 15  # few, so that other load on the machine affects all inputs equally
WARM_UP = 50
TARGET = 1.15  # of a start with a composition, relative to one with `animationProps`
START = """
mutation ($input: StartRenderInput!) {
  startRender(input: $input) {
    __typename
    ... on StartRenderSuccess { render { id status createdAt } quota { remaining } }
    ... on UserError { message }
  }
}
"""
TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
SCENE = {
    "type": "object",
    "properties": {"title": TEXT, "subtitle": TEXT, "seconds": {"type": "number", "minimum": 0.1, "maximum": 10}},
    "required": ["title", "seconds"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "title": TEXT,
        "align": {"enum": ["left", "center", "right"]},
        "font": TEXT,
        "size": {"type": "number", "minimum": 8, "maximum": 500},
        "color": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        "scenes": {"type": "array", "items": SCENE, "maxItems": 500},
    },
    "required": ["title", "size"],
    "additionalProperties": False,
}
PROMO = composition("Promo", default_props=json.dumps({"align": "left", "scenes": []}), props_schema=json.dumps(SCHEMA))
ANIMATED = {
    "text": "Hello",
    "style": "FADE_IN",
    "fontFamily": "Inter",
    "fontSize": 64,
    "color": "#ffffff",
    "durationInFrames": 90,
}
PROPS: dict[str, Any] = {
    "title": "Hello",
    "align": "center",
    "font": "Inter",
    "size": 64,
    "color": "#ffffff",
    "scenes": [{"title": "One", "seconds": 3}],
}
SCENES = [{"title": f"Scene {n}", "subtitle": "x" * 60, "seconds": 1.5} for n in range(92)]
INPUTS: dict[str, dict[str, Any]] = {
    "animationProps": {"animationProps": ANIMATED},
    "a composition": {"composition": {"id": "Promo", "props": PROPS}},
    "a composition, 10 KB of props": {"composition": {"id": "Promo", "props": {**PROPS, "scenes": SCENES}}},
}


@asynccontextmanager
async def open_services(url: str) -> AsyncIterator[Services]:
    """Yield services with MongoDB, and a catalog with `Promo` and the composition of animations."""
    clock, backend = SystemClock(), FakeBackend()
    compositions: tuple[Composition, ...] = (ANIMATION, PROMO)
    async with open_mongo_store(motor_client(), url) as store, open_pubsub("memory://") as pubsub:
        await store.catalog.put(
            Catalog(site=backend.site, version="1", compositions=compositions, discovered_at=clock.now())
        )
        yield compose(
            SETTINGS,
            clock=clock,
            store=store,
            pubsub=pubsub,
            backend=backend,
            with_worker=False,
            catalogs=store.catalog,
        )


async def serve_on_mongodb(file_descriptor: str, url: str) -> None:
    async with open_services(url) as services:
        await serve(services, socket.socket(fileno=int(file_descriptor)))


def main(turns: int = TURNS) -> None:
    samples: dict[str, list[float]] = {name: [] for name in INPUTS}
    with tempfile.TemporaryDirectory() as folder:
        mongo = MongoServer(Path(folder) / "data")
        mongo.start()
        try:
            measure(f"{mongo.url}/benchmark", samples, turns=turns)
        finally:
            mongo.stop()
    print("\n## Starts: the server's CPU time per `startRender`, with MongoDB\n")
    print("| input | CPU per start | relative to animationProps |\n|---|---:|---:|")
    for name, seconds in samples.items():
        ratio = statistics.median(map(truediv, seconds, samples["animationProps"]))
        print(f"| {name} | {statistics.median(seconds) * 1e6:.0f} µs | {ratio:.2f} |")
    print(f"\nTarget for a composition: at most {TARGET}.")


def check(data: Any) -> None:
    """Raise `AssertionError` unless a render was started."""
    assert data["startRender"]["__typename"] == "StartRenderSuccess", data


def measure(url: str, samples: dict[str, list[float]], *, turns: int) -> None:
    """Start renders in turns, and append the CPU seconds per start of each input."""
    operations = {
        name: Operation(document=START, variables={"input": given}, check=check) for name, given in INPUTS.items()
    }
    with running("rendercast", "benchmarks.starts", url) as server:
        for operation in operations.values():
            server.cpu_s_per_request([operation], WARM_UP)
        for turn in range(turns):
            for name in operations if turn % 2 else reversed(operations):
                samples[name].append(server.cpu_s_per_request([operations[name]], STARTS_PER_TURN))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        uvloop.run(serve_on_mongodb(*sys.argv[1:]))
    else:
        main(*map(int, sys.argv[1:]))
