"""Introspection where users have tokens, and the switch of GraphiQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.security.closing import rejected_init
from tests.support.api_client import Client, open_client
from tests.support.api_server import serve
from tests.support.api_stream import open_stream

SCHEMA = "{ __schema { queryType { name } } }"
TYPE = '{ __type(name: "Render") { name } }'
MISSPELT = "{ renderLimit { fps } }"
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@asynccontextmanager
async def open_user(folder: Path, **settings: object) -> AsyncIterator[Client]:
    async with (
        open_embedded(load_settings(data_dir=folder, **settings)) as services,
        serve(services) as url,
        open_client(url, user="ann") as client,
    ):
        yield client


async def test_introspection_needs_a_valid_token(tmp_path: Path) -> None:
    async with open_user(tmp_path, introspection=True) as ann:
        anonymous = Client(ann.http)
        for document in (SCHEMA, TYPE, f"query A {{ ...F }} fragment F on Query {SCHEMA}"):
            assert await ann.execute(document)
            assert (await anonymous.error(document))["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await anonymous.execute("{ renderLimits { __typename } }") == {"__typename": "RenderLimits"}
        response = await ann.http.get("/graphql", params={"query": SCHEMA})
        assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        async with open_stream(ann) as stream:
            await stream.subscribe(SCHEMA)
            assert (await stream.next())["queryType"] == {"name": "Query"}
        assert (await rejected_init(anonymous))[0] == 4403


async def test_names_of_the_schema_are_suggested_to_those_who_may_read_it(tmp_path: Path) -> None:
    async with open_user(tmp_path, introspection=True) as ann:
        assert "Did you mean 'renderLimits'" in (await ann.error(MISSPELT))["message"]
        assert "Did you mean" not in (await Client(ann.http).error(MISSPELT))["message"]


async def test_public_introspection_needs_no_token(tmp_path: Path) -> None:
    async with open_user(tmp_path, introspection="public") as ann:
        anonymous = Client(ann.http)
        assert await anonymous.execute(SCHEMA) == {"queryType": {"name": "Query"}}
        assert "Did you mean" in (await anonymous.error(MISSPELT))["message"]


async def test_without_introspection_a_token_does_not_help(tmp_path: Path) -> None:
    async with open_user(tmp_path, introspection=False) as ann:
        for document in (SCHEMA, TYPE):
            assert "introspection has been disabled" in (await ann.post(document))["errors"][0]["message"]


@pytest.mark.parametrize("studio", [True, False])
async def test_graphiql_can_be_switched_off(tmp_path: Path, *, studio: bool) -> None:
    async with open_user(tmp_path, graphiql=False, studio=studio) as ann:
        response = await ann.http.get("/graphql", headers=PAGE)
        assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (400, "application/json")
        assert (await ann.http.get("/", headers=PAGE)).status_code == (200 if studio else 404)
        assert (await ann.http.get("/assets/react/umd/react.production.min.js")).status_code == 404
        assert await ann.list_renders() == []


async def test_graphiql_is_served_by_default(tmp_path: Path) -> None:
    async with open_user(tmp_path) as ann:
        response = await ann.http.get("/graphql", headers=PAGE)
        assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, "text/html")
