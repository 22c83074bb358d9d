"""After each attack the server is as it was: it answers others at once, and has let go of all that it kept for it.

None of what is measured depends on how fast a machine is, or how busy: the CPU time that the server takes until others
are answered, its memory, and its connections.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.security import attacks_http, attacks_identity, attacks_websocket
from tests.security.target import IS_LINUX, Attack, Target, at_rest, open_bystander, open_target

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not IS_LINUX, reason="only Linux tells of a process what is asked here"),
]

MIB = 1024 * 1024
TIMES = 3
MAX_CPU_S = 1.0  # for three answers, each of which takes a thousandth of it when nobody attacks
MAX_GROWTH_BYTES = MIB  # by an attack carried out so many times
MAX_ROUNDS = 10  # of that: what is made once (caches, a larger heap) is there after the first ones, a leak goes on
MAX_CONCURRENT_BYTES = 64 * MIB
ATTACKS = attacks_identity.ATTACKS | attacks_http.ATTACKS | attacks_websocket.ATTACKS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(tmp_path_factory: pytest.TempPathFactory, mongo_server_url: str) -> AsyncIterator[Target]:
    async with open_target(tmp_path_factory.mktemp("target"), mongo_server_url) as target:
        yield target


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_after_an_attack_the_server_is_as_it_was(target: Target, attack: Attack) -> None:
    grown = []
    for _ in range(MAX_ROUNDS):
        before = await at_rest(target)
        for _ in range(TIMES):
            await bear(target, attack)
        grown.append(await at_rest(target) - before)
        if grown[-1] < MAX_GROWTH_BYTES:
            return
    raise AssertionError(f"its memory grows by {grown}")


async def bear(target: Target, attack: Attack) -> None:
    """Have it attacked, and others answered while the attack goes on, if it does, and afterwards."""
    async with open_bystander(target) as bystander:
        resident = target.process.forget_peak()
        async with attack(target):
            began_s = target.process.cpu_s()
            await bystander.is_answered()
            assert target.process.cpu_s() - began_s < MAX_CPU_S
        await bystander.is_answered()
        assert target.process.peak_bytes() - resident < MAX_CONCURRENT_BYTES
