"""Attacks by tokens on a server in a process of its own."""

import json
import time

from tests.security.attacks_http import at_once
from tests.security.forgeries import FORGERIES, Forge, handmade
from tests.security.issuer import Issuer, long_ago
from tests.security.peers import message, open_peers, post, upgrade
from tests.security.target import Attack, Target
from tests.support.api_client import LIST

QUERY = json.dumps({"query": LIST}).encode()
SUBSCRIBE = message(type="subscribe", id="1", payload={"query": "subscription { renderUpdates { id } }"})


def sent_in(*forges: Forge, times: int = 10) -> Attack:
    """Return an attack by tokens, each by HTTP and in a WebSocket's introduction."""

    async def attack(target: Target) -> None:
        tokens = [forge(target.issuer) for forge in forges] * times
        async with open_peers(target.url, 1 + times) as (peer, *others):
            for token in tokens:
                await peer.send(post(QUERY, f"Authorization: Bearer {token}"))
                status, body = await peer.answer()
                assert (status, b"UNAUTHENTICATED" in body) == (200, True)
            for other, token in zip(others, tokens, strict=False):
                await upgrade(other)
                await other.send(message(type="connection_init", payload={"Authorization": f"Bearer {token}"}))
                assert await other.close_code() == 4403

    return at_once(attack)


def unknown(number: int) -> Forge:
    """Return what forges a token whose key nobody knows, by an id that is always another."""

    def forge(issuer: Issuer) -> str:
        kid = f"{number} {time.monotonic_ns()}"
        return handmade({"alg": "RS256", "kid": kid}, issuer.claims(), b"key")

    return forge


@at_once
async def outlive_tokens(target: Target) -> None:
    """A machine that is too slow to let somebody in meanwhile refuses them with the same code."""
    async with open_peers(target.url, 20) as peers:
        token = target.issuer.token("attacker", exp=int(time.time()) + 1)
        for peer in peers:
            await upgrade(peer)
            introduction = message(type="connection_init", payload={"Authorization": f"Bearer {token}"})
            await peer.send(introduction + SUBSCRIBE)
        for peer in peers:
            assert await peer.close_code() == 4403


def named(*words: str) -> list[Forge]:
    return [forge for name, forge in FORGERIES.items() if any(word in name for word in words)]


ATTACKS: dict[str, Attack] = {
    "alg none": sent_in(*named("alg n")),
    "wrong key": sent_in(*named("wrong key", "key of another", "key in the token", "key at")),
    "wrong audience": sent_in(*named("audience")),
    "key confusion": sent_in(*named("as a secret", "an empty secret")),
    "expired": sent_in(lambda issuer: issuer.token(exp=long_ago())),
    "expired midway": outlive_tokens,
    "unknown kid flood": sent_in(*(unknown(number) for number in range(100)), times=3),
    "all other forgeries": sent_in(*FORGERIES.values(), times=2),
}
