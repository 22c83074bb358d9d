"""Chromium's player in videos whose text at rest is encoded once, and written repeatedly."""

import base64
import random
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser

from tests.browser.visitors import NEEDS_BROWSER
from tests.services.backends.text.outputs import make
from tests.services.backends.text.rendering import decode_still, rgb

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

FRAMES, FPS, ENTRANCE = 200, 10, 10

# Waits for the first frame, seeks to each time, and returns the time of the frame that is shown, and what is shown.
SEEK = """
async ([url, times]) => {
  const video = document.createElement("video")
  const canvas = document.createElement("canvas")
  const first = new Promise((resolve) => video.requestVideoFrameCallback(resolve))
  video.src = url
  document.body.append(video)
  await first
  canvas.width = video.videoWidth
  canvas.height = video.videoHeight
  const found = []
  for (const time of times) {
    const shown = new Promise((resolve) => video.requestVideoFrameCallback((_, frame) => resolve(frame.mediaTime)))
    video.currentTime = time
    const mediaTime = await shown
    canvas.getContext("2d").drawImage(video, 0, 0)
    found.push([mediaTime, canvas.toDataURL()])
  }
  return found
}
"""


@pytest.mark.parametrize("name", ["h264", "vp9"])
async def test_seeking_shows_the_right_frame(tmp_path: Path, browser: Browser, name: str) -> None:
    changes = {"width": 160, "height": 90, "font_size": 30, "text": "Hello!", "style": "scale"}
    made = make(tmp_path, {"format": name}, duration_in_frames=FRAMES, fps=FPS, **changes)
    chosen = random.Random(name)  # noqa: S311  # not for secrets
    numbers = [*chosen.sample(range(ENTRANCE), 4), *chosen.sample(range(ENTRANCE, FRAMES), 6)]
    chosen.shuffle(numbers)
    kind = "mp4" if name == "h264" else "webm"
    url = f"data:video/{kind};base64,{base64.b64encode(made.data).decode()}"
    page = await browser.new_page()
    found = await page.evaluate(SEEK, [url, [(number + 0.5) / FPS for number in numbers]])
    await page.close()
    for number, (time, picture) in zip(numbers, found, strict=True):
        assert time == pytest.approx(number / FPS, abs=0.001)
        shown = rgb(decode_still(base64.b64decode(picture.partition(",")[2])))
        differences = [np.abs(shown - rgb(frame)).mean() for frame in made.frames]
        assert differences[number] == pytest.approx(min(differences), abs=0.5)
        assert differences[number] < 8
