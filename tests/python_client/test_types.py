"""The types of the Python client: mypy reports each `type: ignore` here that is not needed."""

import tomllib
from typing import NotRequired, TypedDict

import pytest
from rendercast.client import AsyncClient, Client, Composition

from services.settings import CHECKOUT


class PromoProps(TypedDict):
    title: str
    size: NotRequired[int]


PROMO: Composition[PromoProps] = Composition("Promo")


async def accepted(client: AsyncClient, blocking: Client) -> None:
    """Call the clients as the types allow it."""
    await client.start(PROMO({"title": "Hello"}), output={"video": {"format": "VP9", "crf": 30}})
    await client.start("Promo", {"anything": 1})
    await client.start(text="Hello", animation={"style": "TYPEWRITER"})
    await client.batch([PROMO({"title": "Hello", "size": 1})], batch_id="b")
    blocking.start(PROMO({"title": "Hello"}))
    blocking.start(text="Hello")
    seconds: int = blocking.quota().window_seconds
    for state in blocking.watch("id", timeout_s=seconds):
        address: str | None = state.output_url
        del address


async def rejected(client: AsyncClient, blocking: Client) -> None:
    """Call the clients with mistakes."""
    await client.start(PROMO({"titel": "Hello"}))  # type: ignore[typeddict-item]
    await client.start(PROMO({"title": 1}))  # type: ignore[typeddict-item]
    await client.start(PROMO)  # type: ignore[call-overload]
    await client.start("Promo", {}, text="Hello")  # type: ignore[call-overload]
    await client.start(text="Hello", animation={"style": "SPIN"})  # type: ignore[call-overload]
    await client.start(text="Hello", output={"video": {"format": "GIF"}})  # type: ignore[call-overload]
    await client.batch([PROMO({"size": 1})])  # type: ignore[typeddict-item]
    blocking.start(PROMO({"title": "Hello", "size": "1"}))  # type: ignore[typeddict-item]
    blocking.get(1)  # type: ignore[arg-type]
    blocking.watch(render="id")  # type: ignore[call-arg]
    if blocking.get("id").status == "DONE":  # type: ignore[comparison-overlap]
        return


def test_mypy_checks_these_functions() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["mypy"]["strict"]  # so it reports an ignored error that does not occur


@pytest.mark.parametrize("make", [Composition, Composition[PromoProps]])
def test_a_composition_can_be_made_with_and_without_its_type(make: type[Composition[PromoProps]]) -> None:
    assert (make("Promo").id, make("Promo")) == ("Promo", PROMO)
    assert {make("Promo"), PROMO} == {PROMO}
