import pytest

from services.models import TEXT_ANIMATION
from services.renders.render_input import RenderInput
from tests.conftest import MakeRender


def test_an_animation_is_the_same_input_whichever_composition_rendered_it(make_render: MakeRender) -> None:
    # Versions before 0.4 stored no id of the composition, and the operator may configure another one.
    valid = RenderInput.of(make_render(composition_id="Titles"))
    assert valid.is_same_as(make_render(composition_id=TEXT_ANIMATION))
    assert not valid.is_same_as(make_render(props=None, composition_id="Titles", input_props="{}"))


@pytest.mark.parametrize(
    ("other", "is_same"),
    [('{"b":[1],"a":"x"}', True), ('{"a":"x","b":[2]}', False), ('{"a":"x"}', False), ("{}", False)],
)
def test_the_order_of_keys_in_props_has_no_meaning(make_render: MakeRender, other: str, is_same: object) -> None:
    valid = RenderInput.of(make_render(props=None, composition_id="Card", input_props='{"a":"x","b":[1]}'))
    assert valid.is_same_as(make_render(props=None, composition_id="Card", input_props=other)) is is_same
