"""Attacks by tokens on a server in its own process."""

import asyncio
import json
import time

from tests.security.attacks_http import at_once
from tests.security.forgeries import FORGERIES, Forge, handmade
from tests.security.issuer import Issuer, long_ago
from tests.security.peers import Peer, message, open_peers, post, upgrade
from tests.security.target import Attack, Target
from tests.support.api_client import LIST

QUERY = json.dumps({"query": LIST}).encode()
SUBSCRIBE = message(type="subscribe", id="1", payload={"query": "subscription { renderUpdates { id } }"})


def tokens_sent(*forges: Forge, times: int = 10, peers: int = 20) -> Attack:
    """Return an attack by tokens: all in HTTP headers of several connections, and one on each in `connection_init`."""

    async def attack(target: Target) -> None:
        tokens = [forge(target.issuer) for forge in forges] * times
        async with open_peers(target.url, peers) as opened:
            await asyncio.gather(*(send_tokens(peer, tokens[n::peers]) for n, peer in enumerate(opened)))

    return at_once(attack)


async def send_tokens(peer: Peer, tokens: list[str]) -> None:
    """Send tokens one after the other. The answer for one with an unknown key id waits for the issuer's keys."""
    for token in tokens:
        await peer.send(post(QUERY, f"Authorization: Bearer {token}"))
        status, body = await peer.read_response()
        assert (status, b"UNAUTHENTICATED" in body) == (200, True)
    for token in tokens[:1]:
        await upgrade(peer)
        await peer.send(message(type="connection_init", payload={"Authorization": f"Bearer {token}"}))
        assert await peer.close_code() == 4403


def unknown(number: int) -> Forge:
    """Return a forger of tokens with an unknown key id, a new one each time."""

    def forge(issuer: Issuer) -> str:
        kid = f"{number} {time.monotonic_ns()}"
        return handmade({"alg": "RS256", "kid": kid}, issuer.claims(), b"key")

    return forge


@at_once
async def outlive_tokens(target: Target) -> None:
    """Let tokens expire during their WebSockets. A slow machine rejects some at once, with the same close code."""
    async with open_peers(target.url, 20) as peers:
        token = target.issuer.token("attacker", exp=int(time.time()) + 1)
        for peer in peers:
            await upgrade(peer)
            init = message(type="connection_init", payload={"Authorization": f"Bearer {token}"})
            await peer.send(init + SUBSCRIBE)
        for peer in peers:
            assert await peer.close_code() == 4403


def named(*words: str) -> list[Forge]:
    return [forge for name, forge in FORGERIES.items() if any(word in name for word in words)]


ATTACKS: dict[str, Attack] = {
    "alg none": tokens_sent(*named("alg n")),
    "wrong key": tokens_sent(*named("wrong key", "key of another", "key in the token", "key at")),
    "wrong audience": tokens_sent(*named("audience")),
    "key confusion": tokens_sent(*named("as a secret", "an empty secret")),
    "expired": tokens_sent(lambda issuer: issuer.token(exp=long_ago())),
    "expired while connected": outlive_tokens,
    "unknown kid flood": tokens_sent(*(unknown(number) for number in range(40)), times=1, peers=40),
    "all other forgeries": tokens_sent(*FORGERIES.values(), times=2),
}
