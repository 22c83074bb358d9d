"""What a log never holds, not even at its most talkative: texts of renders, and what lets others in."""

import json
from urllib.parse import quote_plus

import httpx
import pytest

from resolvers.tokens import OWN_ISSUER
from services.log_ids import pseudonym
from tests.end_to_end import production
from tests.end_to_end.conftest import Start
from tests.end_to_end.production import Site
from tests.resolvers.clients import GET, LIST, PROGRESS, REFRESH, START, Client, open_client, open_socket, open_stream

SECRETS = ("Ünspeakable words", "Hidden Sans", "a private generation", "a private key", "#12fe34")
TEXT, FONT, GENERATION, KEY, COLOR = SECRETS


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_the_log_holds_no_text_of_a_render_and_no_signature(start: Start, log_format: str) -> None:
    rendercast = start(log_level="debug", log_format=log_format, quota_limit=20)
    async with open_client(rendercast.url) as client:
        urls = await _use(client)
        await _misuse(client)
    rendercast.end()
    log = rendercast.log
    assert "POST /graphql" in log, "this is the log of requests"
    assert "GET /files/" in log
    for secret in SECRETS:
        for written in (secret, json.dumps(secret)[1:-1]):
            assert written not in log
            assert quote_plus(written) not in log
    for url in urls:
        assert httpx.URL(url).params["signature"] not in log


async def test_a_production_logs_objects_with_ids_and_no_names(site: Site) -> None:
    api, worker = site.start("serve --port 0", "worker", log_level="debug")
    async with production.open_client(api.url, user="somebody") as client:
        render_id = await client.started(durationInFrames=2)
        await client.until(render_id, status="COMPLETE")
        response = await client.http.get("/readyz", headers={"X-Request-ID": "from-a-proxy"})
        assert response.headers["x-request-id"] == "from-a-proxy"
    assert (api.end(), worker.end()) == (0, 0)
    lines = [json.loads(line) for process in (api, worker) for line in process.log.splitlines()]
    asked = [line for line in lines if "POST /graphql" in line["message"]]
    assert {line["user_id"] for line in asked} == {pseudonym(f"{OWN_ISSUER} somebody")}
    assert len({line["request_id"] for line in asked}) == len(asked)
    (probed,) = [line for line in lines if "GET /readyz" in line["message"]]
    assert probed["request_id"] == "from-a-proxy"
    assert "user_id" not in probed
    assert "somebody" not in api.log + worker.log


async def _use(client: Client) -> list[str]:
    """Do all that one does with a render, and return the URLs that were signed."""
    props = {"text": TEXT, "fontFamily": FONT, "color": COLOR, "durationInFrames": 2}
    started = await client.start(generation_id=GENERATION, key=KEY, **props)
    render_id = started["render"]["id"]
    async with open_stream(client) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        last = (await stream.rest())[-1]
    assert last["animationProps"]["text"] == TEXT
    refreshed = await client.ask(REFRESH, id=render_id)
    urls = [last["outputUrl"], last["posterUrl"], refreshed["url"]]
    for url in urls:
        assert (await client.http.get(url)).status_code == 200
        assert (await client.http.get(url[:-1])).status_code == 404
    await client.ask(LIST, filter={"generationId": GENERATION})
    query = {"query": GET, "variables": json.dumps({"id": TEXT})}
    assert (await client.http.get("/graphql", params=query)).status_code == 200
    return urls


async def _misuse(client: Client) -> None:
    """Send the same where it is wrong, so that errors have something to tell."""
    props = {"text": TEXT * 50, "fontFamily": FONT, "color": f"{COLOR} or so", "durationInFrames": 2}
    await client.start(key=KEY * 50, generation_id=GENERATION * 50, **props)
    await client.post(START, input={"animationProps": TEXT, "idempotencyKey": {"a": KEY}})
    await client.post(f'mutation {{ startRender(input: {{text: "{TEXT}", generationId: "{GENERATION}"}}) }}')
    await client.http.post("/graphql", content=f'{{"query": "{TEXT}', headers={"Content-Type": "application/json"})
    async with open_stream(client) as stream:
        await stream.subscribe(START, input={"animationProps": TEXT, "idempotencyKey": [KEY]})
        await stream.receive()
        await stream.send(type="subscribe", id="2", payload={"query": TEXT, "variables": {TEXT: KEY}})
        await stream.receive()
        await stream.send(type="nonsense", payload={TEXT: GENERATION})
    async with open_socket(f"{client.websocket_url}?{quote_plus(TEXT)}") as socket:
        await socket.close(reason=TEXT)
