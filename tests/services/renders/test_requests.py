from datetime import UTC, datetime

import pytest

from services.compositions.catalog import KnownCompositions
from services.errors import InvalidAnimation, InvalidInput
from services.media import OutputFormat, OutputOptions
from services.models import TEXT_ANIMATION, Catalog, Composition, replace
from services.renders.requests import RequestValidator, StartRequest
from tests.conftest import PROPS
from tests.support.api_compositions import CARD, PROMO, composition
from tests.support.limits import REQUEST_LIMITS


def validator(animation_id: str, *compositions: Composition) -> RequestValidator:
    """Return a validator for a site with these compositions."""
    catalog = Catalog(site="s", version="1", compositions=compositions, discovered_at=datetime(2026, 1, 1, tzinfo=UTC))
    return RequestValidator(
        site="s",
        animation_id=animation_id,
        formats=frozenset(OutputFormat),
        compositions=KnownCompositions(catalog),
        limits=REQUEST_LIMITS,
    )


@pytest.mark.parametrize(
    ("compositions", "sentence"),
    [
        ((PROMO, CARD), "This server has no composition for animations. Use `composition` with Promo, Card."),
        ((), "This server has no composition for animations."),
    ],
)
def test_an_animation_is_rejected_if_the_site_has_no_composition_for_it(
    compositions: tuple[Composition, ...], sentence: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        validator(TEXT_ANIMATION, *compositions).validate(StartRequest(animation=PROPS))
    assert [(problem.path, problem.message) for problem in raised.value.problems] == [("/animationProps", sentence)]


def test_an_animation_is_rendered_by_the_composition_that_the_backend_names() -> None:
    titles = composition("Titles", width=640, height=360)
    valid = validator("Titles", PROMO, titles).validate(StartRequest(animation=PROPS))
    assert (valid.composition_id, valid.props) == ("Titles", PROPS)
    assert valid.media is not None
    assert (valid.media.width, valid.media.height) == (640, 360)


def test_faint_text_is_invisible_only_in_a_gif() -> None:
    faint = replace(PROPS, color="rgb(255 255 255 / 40%)", background_color="transparent")
    requests = validator(TEXT_ANIMATION, composition(TEXT_ANIMATION, width=640, height=360))
    with pytest.raises(InvalidAnimation, match="less transparent"):
        requests.validate(StartRequest(animation=faint, output=OutputOptions(format=OutputFormat.GIF)))
    vp9 = OutputOptions(format=OutputFormat.VP9, transparent=True)
    assert requests.validate(StartRequest(animation=faint, output=vp9)).props == faint
