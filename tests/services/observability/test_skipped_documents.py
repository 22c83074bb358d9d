from services.realtime.pubsub import open_pubsub
from services.runtime.services import compose
from services.settings import default_settings
from tests.support.fake_clock import FakeClock
from tests.support.memory_store import MemoryStore


async def test_skipped_documents_of_the_store_are_a_metric() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    async with open_pubsub("memory://") as pubsub:
        services = compose(default_settings(), clock=clock, store=store, pubsub=pubsub, backend=None, with_worker=False)
        assert b"\nrendercast_skipped_documents 0.0\n" in services.metrics.text()
        store.skipped_documents = 3
        assert b"\nrendercast_skipped_documents 3.0\n" in services.metrics.text()
