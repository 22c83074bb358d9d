"""After each attack the server has released its memory and connections, and during it other users are served at once.

Measured are CPU time until other users have their responses, memory and connections, none of which depends on the speed
or the load of the machine.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.security import attacks_http, attacks_identity, attacks_websocket
from tests.security.target import IS_LINUX, Attack, Target, memory_at_rest, open_bystander, open_target

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not IS_LINUX, reason="needs the /proc of Linux"),
]

MIB = 1024 * 1024
TIMES = 2
MAX_CPU_S = 1.0  # for three responses, each of which takes a thousandth of it without an attack
MAX_GROWTH_BYTES = TIMES * MIB // 3  # by `TIMES` attacks
MAX_ROUNDS = 10  # caches and a larger heap grow only in the first rounds; a leak grows in all
MAX_CONCURRENT_BYTES = 64 * MIB
ATTACKS = attacks_identity.ATTACKS | attacks_http.ATTACKS | attacks_websocket.ATTACKS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(tmp_path_factory: pytest.TempPathFactory, mongo_server_url: str) -> AsyncIterator[Target]:
    async with open_target(tmp_path_factory.mktemp("target"), mongo_server_url) as target:
        yield target


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_after_an_attack_the_server_uses_no_more_memory_than_before(target: Target, attack: Attack) -> None:
    grown = []
    for _ in range(MAX_ROUNDS):
        before = await memory_at_rest(target)
        for _ in range(TIMES):
            await attack_once(target, attack)
        grown.append(await memory_at_rest(target) - before)
        if grown[-1] < MAX_GROWTH_BYTES:
            return
    raise AssertionError(f"the server's memory grows by {grown}")


async def attack_once(target: Target, attack: Attack) -> None:
    """Attack the server, and require responses to another user during and after the attack."""
    await target.process.idle(for_s=0.2)  # connections that an attack has reset count until the server sees it
    async with open_bystander(target) as bystander:
        resident = target.process.reset_peak()
        async with attack(target):
            started_s = target.process.cpu_s()
            await bystander.check_responses()
            assert target.process.cpu_s() - started_s < MAX_CPU_S
        await bystander.check_responses()
        assert target.process.peak_bytes() - resident < MAX_CONCURRENT_BYTES
