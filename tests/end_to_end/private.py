"""Requests with texts and names that only the owner may read; other tests search logs and traces for them."""

import json
from urllib.parse import quote_plus

from tests.support.api_client import GET, LIST, PROGRESS, REFRESH, START, Client
from tests.support.api_stream import open_socket, open_stream

SECRETS = ("Ünspeakable words", "Hidden Sans", "a private generation", "a private key", "#12fe34")
TEXT, FONT, GENERATION, KEY, COLOR = SECRETS


async def use(client: Client) -> list[str]:
    """Use a render in every way and return the URLs that were signed."""
    props = {"text": TEXT, "fontFamily": FONT, "color": COLOR, "durationInFrames": 2}
    started = await client.start(generation_id=GENERATION, key=KEY, **props)
    render_id = started["render"]["id"]
    async with open_stream(client) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        last = (await stream.rest())[-1]
    assert last["animationProps"]["text"] == TEXT
    refreshed = await client.execute(REFRESH, id=render_id)
    urls = [last["outputUrl"], last["posterUrl"], refreshed["url"]]
    for url in urls:
        assert (await client.http.get(url)).status_code == 200
        assert (await client.http.get(url[:-1])).status_code == 404
    await client.execute(LIST, filter={"generationId": GENERATION})
    query = {"query": GET, "variables": json.dumps({"id": TEXT})}
    assert (await client.http.get("/graphql", params=query)).status_code == 200
    return urls


async def misuse(client: Client) -> None:
    """Send the same texts in invalid requests, so that errors could contain them."""
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
