"""The sections of a page."""

import re
from pathlib import Path

HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> list[str]:
    """Return the anchors of a page's headings as GitHub makes them."""
    found = (re.sub(r"[`*]", "", heading) for heading in HEADING.findall(page.read_text(encoding="utf-8")))
    return [re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in found]
