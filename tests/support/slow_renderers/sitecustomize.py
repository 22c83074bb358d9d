"""Makes renderers slow without using CPU time: each sleeps after every frame that it draws, so a render lasts.

A video of 20 s takes ten seconds or more, on every machine. A renderer is slow while the file that SLOW_WHILE_EXISTS
names exists. Python imports this module at the start of each process that has this folder in PYTHONPATH.
"""

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

FRAME_SLEEP_S = 0.03
FRAME_AT_REST_SLEEP_S = 0.15  # a group of them stands for many frames


def sleep(seconds: float) -> None:
    if Path(os.environ["SLOW_WHILE_EXISTS"]).exists():
        select.select((), (), (), seconds)  # time.sleep fails under libfaketime 0.9.10


def slow_down_renderer() -> None:
    """Replace what draws a frame, and what encodes those at rest in a thread."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the renderer does before it imports numpy
    sys.path.insert(0, str(Path.cwd()))  # the renderer's working directory, which `python -m` adds later
    from services.backends.text.frames import Painter  # noqa: PLC0415  # only renderers need it
    from services.backends.text.rest import Group, RestEncoder  # noqa: PLC0415  # only renderers need it
    from services.backends.text.styles import Pose  # noqa: PLC0415  # only renderers need it

    paint, encode = Painter.paint, RestEncoder.encode

    def slow_paint(painter: Painter, pose: Pose) -> None:
        paint(painter, pose)
        sleep(FRAME_SLEEP_S)

    def slow_encode(encoder: RestEncoder, report: Callable[[int], None]) -> Group:
        def slow_report(frames: int) -> None:
            report(frames)
            sleep(FRAME_AT_REST_SLEEP_S)

        return encode(encoder, slow_report)

    Painter.paint = slow_paint  # type: ignore[method-assign, assignment]
    RestEncoder.encode = slow_encode  # type: ignore[method-assign, assignment]


if "services.backends.text.child" in sys.orig_argv:
    slow_down_renderer()
