"""The chart of the ratios, as SVG without fonts or scripts, for light and dark pages."""

import math
import xml.etree.ElementTree as ET  # only written
from collections.abc import Sequence

from benchmarks.figures import Figure, grouped

WIDTH, ROW, MARGIN, TOP = 860, 24, 16, 64
LABELS, VALUES = 250, 150  # widths of the columns of text beside the bars
STYLE = """
.page { fill: #ffffff } text { fill: #1f2328; font: 13px sans-serif } .small { font-size: 12px }
.title { font-size: 16px; font-weight: bold } .group { font-weight: bold } .value { text-anchor: start }
.label { text-anchor: end } .bar { fill: #6ea8e8 } .over { fill: #e8974e } .grid { stroke: #d0d7de }
.peer { stroke: #57606a; stroke-dasharray: 4 3 } .aim { stroke: #1a7f37; stroke-width: 3 } .spread { stroke: #1f2328 }
.middle { text-anchor: middle }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 } text { fill: #e6edf3 } .bar { fill: #4a8fe0 } .over { fill: #db8a2c }
  .grid { stroke: #30363d } .peer { stroke: #9198a1 } .aim { stroke: #3fb950 } .spread { stroke: #e6edf3 }
}
"""


class Chart:
    """Horizontal bars of ratios, with a line at 1 for the peer and a mark for each aim."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self.groups = grouped(figures)
        self.rows = len(figures) + len(self.groups)
        self.height = TOP + self.rows * ROW + 2 * MARGIN
        self.most = max(1.5, math.ceil(max((figure.high for figure in figures), default=0) * 2) / 2)

    def svg(self, summary: str) -> str:
        """Return the chart. `summary` is its description for screen readers."""
        root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
        root.attrib |= {"width": f"{WIDTH}", "height": f"{self.height}", "viewBox": f"0 0 {WIDTH} {self.height}"}
        root.attrib |= {"aria-labelledby": "title desc"}
        _text(root, "title", "Rendercast relative to servers in Node", id="title")
        _text(root, "desc", summary, id="desc")
        _text(root, "style", STYLE)
        ET.SubElement(root, "rect", {"class": "page", "width": f"{WIDTH}", "height": f"{self.height}", "rx": "6"})
        _label(root, MARGIN, 26, "title", "Rendercast relative to servers in Node (1 = the peer, less is better)")
        legend = "Bar: median; thin line: quartiles; green mark: aim; dashed line: the peer. Orange: over the aim."
        _label(root, MARGIN, 46, "small", legend)
        self._add_grid(root)
        top = TOP
        for name, figures in self.groups.items():
            _label(root, MARGIN, top + 17, "group", name)
            for figure in figures:
                top += ROW
                self._add_row(root, top, figure)
            top += ROW
        ET.indent(root, " ")
        return ET.tostring(root, encoding="unicode") + "\n"

    def _x(self, ratio: float) -> float:
        left, right = MARGIN + LABELS, WIDTH - MARGIN - VALUES
        return round(left + (right - left) * ratio / self.most, 1)

    def _add_grid(self, root: ET.Element) -> None:
        bottom = TOP + self.rows * ROW + 4
        for half in range(int(self.most * 2) + 1):
            x = self._x(half / 2)
            _line(root, "peer" if half == 2 else "grid", (x, TOP), (x, bottom))
            _label(root, x, bottom + 16, "small middle", f"{half / 2:g}")

    def _add_row(self, root: ET.Element, top: float, figure: Figure) -> None:
        middle = top + ROW / 2
        name = "bar" if figure.is_reached else "over"
        size = {"width": f"{self._x(figure.median) - self._x(0):.1f}", "height": f"{ROW - 10}"}
        ET.SubElement(root, "rect", {"class": name, "x": f"{self._x(0)}", "y": f"{top + 5}", **size})
        _line(root, "spread", (self._x(figure.low), middle), (self._x(figure.high), middle))
        _line(root, "aim", (self._x(figure.aim), top + 2), (self._x(figure.aim), top + ROW - 2))
        _label(root, self._x(0) - 8, top + 17, "label", figure.name.replace("`", ""))
        x = WIDTH - MARGIN - VALUES + 12
        _label(root, x, top + 17, "value", f"{figure.median:.2f}, aim {figure.aim:.2f}")


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text


def _label(root: ET.Element, x: float, y: float, name: str, text: str) -> None:
    _text(root, "text", text, **{"class": name, "x": f"{x}", "y": f"{y}"})


def _line(root: ET.Element, name: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    (x1, y1), (x2, y2) = start, end
    ET.SubElement(root, "line", {"class": name, "x1": f"{x1}", "y1": f"{y1}", "x2": f"{x2}", "y2": f"{y2}"})
