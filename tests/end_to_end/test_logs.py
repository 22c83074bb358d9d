"""No log, not even at level debug, contains texts of renders or anything that grants access."""

import json
from urllib.parse import quote_plus

import httpx
import pytest

from auth.rules import OWN_ISSUER
from services.observability.log_context import pseudonym
from tests.end_to_end import production
from tests.end_to_end.conftest import Start
from tests.end_to_end.private import SECRETS, misuse, use
from tests.end_to_end.production import Site
from tests.support.api_client import open_client


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_the_log_contains_no_text_of_a_render_and_no_signature(start: Start, log_format: str) -> None:
    rendercast = start(log_level="debug", log_format=log_format, quota_limit=20)
    async with open_client(rendercast.url) as client:
        urls = await use(client)
        await misuse(client)
    rendercast.end()
    log = rendercast.log
    assert "POST /graphql" in log, "requests are logged"
    assert "GET /files/" in log
    for secret in SECRETS:
        for written in (secret, json.dumps(secret)[1:-1]):
            assert written not in log
            assert quote_plus(written) not in log
    for url in urls:
        assert httpx.URL(url).params["signature"] not in log


async def test_production_logs_json_with_ids_and_without_names(site: Site) -> None:
    api, worker = site.start("serve --port 0", "worker", log_level="debug")
    async with production.open_client(api.url, user="somebody") as client:
        render_id = await client.start_render(durationInFrames=2)
        await client.until(render_id, status="COMPLETE")
        response = await client.http.get("/readyz", headers={"X-Request-ID": "from-a-proxy"})
        assert response.headers["x-request-id"] == "from-a-proxy"
    assert (api.end(), worker.end()) == (0, 0)
    lines = [json.loads(line) for process in (api, worker) for line in process.log.splitlines()]
    requests = [line for line in lines if "POST /graphql" in line["message"]]
    assert {line["user_id"] for line in requests} == {pseudonym(f"{OWN_ISSUER} somebody")}
    assert len({line["request_id"] for line in requests}) == len(requests)
    (probed,) = [line for line in lines if "GET /readyz" in line["message"]]
    assert probed["request_id"] == "from-a-proxy"
    assert "user_id" not in probed
    assert "somebody" not in api.log + worker.log
