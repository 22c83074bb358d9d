import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidArgument
from services.ids import new_render_id
from services.renders.cursors import decode_cursor, encode_cursor
from tests.support.fake_clock import START_OF_TIME

RENDER_ID = new_render_id(START_OF_TIME)
CURSOR = encode_cursor(RENDER_ID, owner="ann")


@given(st.text())
def test_a_cursor_decodes_only_for_its_owner(owner: str) -> None:
    assert decode_cursor(encode_cursor(RENDER_ID, owner=owner), owner=owner, argument="after") == RENDER_ID
    with pytest.raises(InvalidArgument):
        decode_cursor(encode_cursor(RENDER_ID, owner=owner), owner=owner + "x", argument="after")


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_other_text_is_rejected(text: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        decode_cursor(text, owner="ann", argument="before")
    assert error.value.field == "before"


@given(st.integers(0, len(CURSOR) - 1), st.characters())
def test_a_cursor_with_one_changed_character_is_rejected(place: int, character: str) -> None:
    tampered = CURSOR[:place] + character + CURSOR[place + 1 :]
    if tampered != CURSOR:
        with pytest.raises(InvalidArgument):
            decode_cursor(tampered, owner="ann", argument="after")
