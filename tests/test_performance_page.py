"""The page about performance is what `python -m benchmarks.summary --from benchmarks/results.json` writes."""

import re
import xml.etree.ElementTree as ET

import msgspec

from benchmarks import page, results

RESULTS = results.read(results.RESULTS)
MAX_LINES = 60
WRITE = "run: .venv/bin/python -m benchmarks.summary --from benchmarks/results.json"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_page_is_made_from_the_results() -> None:
    assert results.PAGE.read_text(encoding="utf-8") == page.text(RESULTS), WRITE
    assert len(page.text(RESULTS).splitlines()) <= MAX_LINES


def test_the_chart_is_made_from_the_results() -> None:
    assert results.CHART.read_text(encoding="utf-8") == page.chart(RESULTS), WRITE


def test_the_chart_has_a_description_and_a_bar_for_each_ratio() -> None:
    root = ET.fromstring(page.chart(RESULTS))  # noqa: S314  # our own
    shown = {each.text for each in root.iter(f"{SVG}text")}
    ratios = [figure for figure in RESULTS.figures() if figure.compared_to]
    assert (root.attrib["role"], root.attrib["aria-labelledby"]) == ("img", "title desc")
    assert root.findtext(f"{SVG}desc") == page.summary(RESULTS.figures())
    assert {figure.name.replace("`", "") for figure in ratios} <= shown
    assert len(root.findall(f"{SVG}rect[@class='bar']") + root.findall(f"{SVG}rect[@class='over']")) == len(ratios)
    assert re.findall(r"url\(|href|@import|<script", page.chart(RESULTS)) == []


def test_a_part_without_results_is_not_measured() -> None:
    (name, part), *_ = RESULTS.parts.items()
    text = page.text(msgspec.structs.replace(RESULTS, parts={name: part}))
    missing = text.partition("## What was not measured\n\n")[2].lower()
    assert [f"\n- {title}.\n".lower() in f"\n{missing}" for title in page.PARTS.values()] == [
        each != name for each in page.PARTS
    ]
