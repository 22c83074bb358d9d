"""The frames that are read and answered without websockets are read as websockets writes them."""

from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from transport.websocket_frames import PONG, TEXT, read_frame

KINDS = {Opcode.TEXT: TEXT, Opcode.PONG: PONG}


def client_frame(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=True, extensions=[])


@given(before=st.binary(max_size=9), payload=st.binary(max_size=300), after=st.binary(max_size=9))
@example(before=b"", payload=bytes(65_535), after=b"")
def test_whole_texts_and_pongs_are_read(before: bytes, payload: bytes, after: bytes) -> None:
    for opcode, kind in KINDS.items():
        content = payload if opcode is Opcode.TEXT else payload[:125]
        frame = client_frame(opcode, content)
        read = read_frame(before + frame + after, len(before))
        assert read == (kind, content, len(before) + len(frame))
        assert all(read_frame(frame[:length], 0) is None for length in (0, 1, 2, len(frame) - 1))


def test_other_frames_are_left_to_websockets() -> None:
    others = [client_frame(opcode, b"x") for opcode in Opcode if opcode not in KINDS]
    fragment = client_frame(Opcode.TEXT, b"x", fin=False)
    unmasked = Frame(Opcode.TEXT, b"x").serialize(mask=False, extensions=[])
    large, reserved = client_frame(Opcode.TEXT, bytes(65_536)), b"\xc1" + client_frame(Opcode.TEXT, b"x")[1:]
    assert not any(read_frame(frame, 0) for frame in (*others, fragment, unmasked, large, reserved))
