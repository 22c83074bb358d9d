"""Makes the previews of a running job from the picture that it paints."""

import base64
import time
from collections.abc import Callable, Mapping

from av.video.reformatter import ColorRange, Colorspace

from services.backends.previews.images import preview_of
from services.backends.previews.schedule import PreviewSchedule
from services.backends.text.codecs import Codec
from services.backends.text.pictures import Picture


class LivePreview:
    """Reports a preview of the picture whenever one is due. `monotonic` returns seconds."""

    def __init__(
        self,
        report: Callable[[Mapping[str, object]], None],
        *,
        codec: Codec,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._coding = codec.coding
        self._monotonic = monotonic
        self._schedule = PreviewSchedule(now_s=monotonic(), cpu_s=time.process_time())

    def update(self, picture: Picture, frames: int) -> None:
        """Report a preview if one is due. `frames` is the number of frames painted so far."""
        now_s, cpu_s = self._monotonic(), time.process_time()
        if self._schedule.is_due(now_s=now_s, cpu_s=cpu_s):
            jpeg = base64.b64encode(self._jpeg(picture)).decode()
            self._report({"type": "preview", "frames": frames, "jpeg": jpeg})
            self._schedule.add(time.process_time() - cpu_s, now_s=now_s, cpu_s=cpu_s)

    def _jpeg(self, picture: Picture) -> bytes:
        if self._coding is None:
            return preview_of(picture.frame)
        colorspace = Colorspace(self._coding.matrix)
        return preview_of(picture.frame, colorspace=colorspace, color_range=ColorRange.MPEG)
