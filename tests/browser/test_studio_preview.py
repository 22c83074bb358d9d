"""The studio's preview is equal to the video, and the renderer's lines can end where Chromium ends them."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from playwright.async_api import Browser, expect

from services.backends.text.encode_still import new_still
from services.backends.text.font_library import FontLibrary, emoji_faces
from services.backends.text.frames import Painter
from services.backends.text.layout import lay_out
from services.backends.text.linebreaks import Break, line_breaks
from services.backends.text.mixture import Colors
from services.backends.text.styles import Timeline
from services.media import Media, OutputFormat
from services.models import AnimationStyle
from services.renders.colors import parse_color
from tests.browser.conftest import Visit
from tests.browser.sites import SMALL, open_fake_site
from tests.browser.visitors import NEEDS_BROWSER, PACKAGES, TIMEOUT_MS, WITH_MOTION, StudioUser
from tests.end_to_end.processes import Start
from tests.services.backends.text.rendering import decode_still, rgb
from tests.support.sentences import NEVER_FIRST, SENTENCES

pytestmark = [NEEDS_BROWSER, pytest.mark.asyncio(loop_scope="session")]

# Chromium has other dictionaries for Lao and Khmer than ICU.
OWN_DICTIONARIES: Final = frozenset({"lo", "km"})
# Captions in these languages break between phrases only.
FEWER: Final = frozenset({"ja", "ko", "zh-Hans", "zh-Hant"})

# A column as narrow as possible: each opportunity starts a line. Returns the index of the first character of each one.
LINE_STARTS: Final = """(sentences) => {
  const column = document.createElement("div");
  column.style.cssText = "width: 1px; line-break: strict; word-break: normal; overflow-wrap: normal";
  document.body.append(column);
  return sentences.map(([language, sentence]) => {
    column.lang = language;
    column.textContent = sentence;
    const range = document.createRange();
    const starts = [];
    let previous = -Infinity, index = 0, offset = 0;
    for (const character of sentence) {
      range.setStart(column.firstChild, offset);
      range.setEnd(column.firstChild, offset += character.length);
      const rectangle = [...range.getClientRects()].at(-1);
      if (rectangle && character.trim() && rectangle.top > previous + 5) {
        starts.push(index);
        previous = rectangle.top;
      }
      index += 1;
    }
    return starts;
  });
}"""


async def test_lines_end_where_chromium_ends_them(browser: Browser) -> None:
    page = await browser.new_page()
    sentences = [(language, sentence) for language, each in SENTENCES.items() for sentence in each]
    found: list[Any] = await page.evaluate(LINE_STARTS, sentences)
    await page.close()
    differing: set[str] = set()
    for (language, sentence), starts in zip(sentences, found, strict=True):
        ours = {0, *(index for index, kind in enumerate(line_breaks(sentence)) if kind is Break.ALLOWED)}
        theirs = {index for index in starts if sentence[index] not in NEVER_FIRST}
        agree = ours <= theirs if language in FEWER else ours == theirs
        differing |= set() if agree else {sentence}
    differing -= {SENTENCES["my"][4]}  # its dictionary has one word where ICU's has two
    assert differing <= {each for language in OWN_DICTIONARIES for each in SENTENCES[language]}


Picture = npt.NDArray[np.int16]

SECONDS: Final = 4
FPS: Final = 30
WIDTH, HEIGHT = SMALL["text_width"], SMALL["text_height"]
COLOR, BACKGROUND = "#ffee00", "#224466"
TEXT = "Office การประชุมวิชาการ مرحبا 漢字 😀"  # in five fonts, on several lines
MOVING: Final = 8  # a frame in which the text of every style changes
LARGEST_DIFFERENCE: Final = 2.5  # mean of 255: Chromium moves baselines to whole pixels, and a wrong line break is 10

# Shows the preview in the size of the video, and stops its animation at a time in milliseconds.
STOP_AT: Final = """async (milliseconds) => {
  const preview = document.getElementById("preview");
  preview.style.cssText += "position: fixed; inset: 0 auto auto 0; width: 320px; z-index: 9";
  delete preview.dataset.style;
  document.getElementById("play-preview").click();
  while (!preview.dataset.style) await new Promise(requestAnimationFrame);
  for (const animation of preview.getAnimations({ subtree: true })) {
    animation.pause();
    animation.currentTime = milliseconds;
  }
  preview.querySelector(".preview-progress").remove();
}"""


# Ends the animation, and returns each grapheme that the preview has and whether it is visible.
END: Final = """() => {
  const preview = document.getElementById("preview");
  const parts = [...preview.querySelectorAll("tspan, .preview-text > span")];
  for (const animation of preview.getAnimations({ subtree: true })) animation.finish();
  return parts.map((part) => [part.textContent, getComputedStyle(part).visibility]);
}"""


async def assert_all_is_typed(ann: StudioUser, text: str) -> None:
    """Type this text in the preview, and fail if a character is still hidden at the end.

    The text ends with another character than the one before, so that it is drawn when that appears.
    """
    await ann.page.get_by_label("Duration").fill("20")
    await ann.page.get_by_role("radio", name="Typewriter").check()
    await ann.page.get_by_label("Text", exact=True).fill(text)
    typed = ann.page.locator("#preview :is(tspan, .preview-text > span)")
    await expect(typed.last).to_have_text(text[-1], timeout=TIMEOUT_MS)
    parts = await ann.page.evaluate(END)
    assert "".join("".join(part for part, _ in parts).split()) == "".join(
        text.split()
    )  # lines end without their spaces
    assert {visibility for _, visibility in parts} == {"visible"}


async def test_an_approximate_preview_ends_with_all_characters(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url, **WITH_MOTION) as ann:
        await ann.open_studio()
        await assert_all_is_typed(ann, "Hello! Drawn while you watch, and for as long as it takes!")


def difference(one: Picture, other: Picture) -> float:
    return float(np.abs(one - other).mean())


def frame_of_video(style: AnimationStyle, frame: int) -> Picture:
    """Return a frame as the renderer paints it."""
    families = FontLibrary(emoji_faces(PACKAGES)).families
    layout = lay_out(TEXT, family="Inter", size=40.0, width=WIDTH, height=HEIGHT, families=families)
    timeline = Timeline(frames=SECONDS * FPS, fps=FPS, height=HEIGHT, graphemes=layout.grapheme_count)
    colors = Colors(text=parse_color(COLOR), background=parse_color(BACKGROUND))
    media = Media(frames=1, fps=FPS, width=WIDTH, height=HEIGHT)
    picture = new_still(OutputFormat.PNG, media=media, colors=colors, has_alpha=False)
    Painter(picture, layout).paint(timeline.pose(style, frame))
    return rgb(picture.frame)


async def frame_of_preview(ann: StudioUser, frame: int) -> Picture:
    await ann.page.evaluate(STOP_AT, 1000 * (frame + 0.01) / FPS)
    return rgb(decode_still(await ann.page.locator("#preview").screenshot()))


async def test_the_preview_is_equal_to_the_video(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, viewport={"width": 1000, "height": 800}, **WITH_MOTION) as ann:
        await ann.open_studio()
        for label, value in (
            ("Text", TEXT),
            ("Text colour", COLOR),
            ("Background", BACKGROUND),
            ("Duration", str(SECONDS)),
        ):
            await ann.page.get_by_label(label, exact=True).fill(value)
        await ann.page.get_by_label("Size", exact=True).fill("40")
        for style in AnimationStyle:
            await ann.page.get_by_role("radio", name=style.replace("-", " ").capitalize()).check()
            await expect(ann.page.locator("#preview")).to_have_attribute("data-style", style.name, timeout=TIMEOUT_MS)
            shown = await frame_of_preview(ann, MOVING)
            before, same, after = (difference(shown, frame_of_video(style, MOVING + step)) for step in (-2, 0, 2))
            assert same < min(before, after, LARGEST_DIFFERENCE), style
        last = SECONDS * FPS - 1
        assert difference(await frame_of_preview(ann, last), frame_of_video(style, last)) < LARGEST_DIFFERENCE
        await assert_all_is_typed(ann, "Hello!\nDrawn while you watch, and for as long as it takes!")
