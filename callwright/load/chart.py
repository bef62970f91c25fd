"""The run over time: answer delay, calls at once, failures; as an SVG file and as lines for a terminal.

Made by hand with lxml, which is here anyway: two panels of a fixed size. A plotting library would bring more code than
the rest of callwright for it, and SVG opens in every browser.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from lxml import etree

from callwright.load.figures import Bin

SVG_BINS = 120
TEXT_BINS = 60
WIDTH, HEIGHT = 960, 520
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 70, 20, 70, 50, 45
_TITLE_CHARS = 100
"""What surely fits in a line of the title; a longer one is squeezed."""
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_PANEL = (HEIGHT - _TOP - _GAP - _BOTTOM) / 2
_BLUE, _GREEN, _RED, _GREY = "#1f6fb4", "#3a8f5c", "#c8312b", "#666666"
_BLOCKS = "▁▂▃▄▅▆▇█"


class ChartError(ValueError):
    """A chart can't be written under that name."""


def check_name(path: Path) -> None:
    """Raises ChartError for a name that does not end in .svg, and where there is no such directory."""
    if path.suffix.lower() != ".svg":
        raise ChartError(f"--chart {path}: charts are SVG; let the name end in .svg (every browser opens it)")
    if not path.parent.is_dir():
        raise ChartError(f"--chart {path}: there is no directory {path.parent}")


def svg(bins: Sequence[Bin], seconds: float, title: str) -> bytes:
    """The chart of a run that lasted `seconds`; the title may have two lines."""
    root = etree.Element("svg", xmlns="http://www.w3.org/2000/svg", width=str(WIDTH), height=str(HEIGHT))
    root.set("viewBox", f"0 0 {WIDTH} {HEIGHT}")
    root.set("font-family", "sans-serif")
    root.set("font-size", "12")
    _add(root, "rect", width=WIDTH, height=HEIGHT, fill="white")
    for number, words in enumerate(title.split("\n")):
        line_of_title = _text(root, _LEFT, 20 + 19 * number, words, size=15, fill="black")
        if len(words) > _TITLE_CHARS:
            line_of_title.set("textLength", str(WIDTH - _LEFT - _RIGHT))
            line_of_title.set("lengthAdjust", "spacingAndGlyphs")
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(bins))
    delays = _Panel(root, _TOP, _nice(max((each.max_ms or 0 for each in bins), default=0)), seconds)
    delays.frame("answer delay, ms: median (line), slowest (bars)")
    if any(each.failed for each in bins):
        _add(root, "circle", cx=WIDTH - _RIGHT - 100, cy=_TOP - 12, r=4, fill=_RED)
        _text(root, WIDTH - _RIGHT - 92, _TOP - 8, "failed calls")
    line = []
    for index, each in enumerate(bins):
        x = _LEFT + index * step
        if each.median_ms is not None and each.max_ms is not None:
            top = delays.y(each.max_ms)
            _add(root, "rect", x=x, y=top, width=max(step - 1, 1), height=delays.bottom - top, fill=_BLUE, opacity=0.25)
            line.append(f"{x + step / 2:.1f},{delays.y(each.median_ms):.1f}")
        if each.failed:
            mark = _add(root, "circle", cx=x + step / 2, cy=_TOP + 6, r=min(6, 2 + each.failed), fill=_RED)
            _add(mark, "title").text = f"{each.at_s:.1f} s: {each.failed} failed"
    _add(root, "polyline", points=" ".join(line), fill="none", stroke=_BLUE).set("stroke-width", "2")
    busy = _Panel(root, _TOP + _PANEL + _GAP, _nice(max((each.at_once for each in bins), default=0)), seconds)
    busy.frame("calls at once")
    for index, each in enumerate(bins):
        top = busy.y(each.at_once)
        _add(root, "rect", x=_LEFT + index * step, y=top, width=step + 0.2, height=busy.bottom - top, fill=_GREEN)
    _text(root, WIDTH - _RIGHT, HEIGHT - 8, "seconds since the first call", anchor="end")
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


class _Panel:
    """One of the two: its place and its scale."""

    def __init__(self, root: etree._Element, top: float, most: float, seconds: float) -> None:
        self._root = root
        self._top = top
        self._most = most
        self._seconds = seconds
        self.bottom = top + _PANEL

    def y(self, value: float) -> float:
        """Where a value stands."""
        return self.bottom - value / self._most * _PANEL

    def frame(self, title: str) -> None:
        """Title, lines with their values, times below."""
        _text(self._root, _LEFT, self._top - 8, title)
        for part in range(5):
            value = self._most * part / 4
            y = self.y(value)
            _add(self._root, "line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, stroke="#dddddd")
            _text(self._root, _LEFT - 6, y + 4, f"{value:g}", anchor="end")
        for at_s in _times(self._seconds):
            x = _LEFT + (WIDTH - _LEFT - _RIGHT) * at_s / max(self._seconds, 0.001)
            _text(self._root, x, self.bottom + 16, f"{at_s:g}", anchor="middle")


def terminal(bins: Sequence[Bin], seconds: float) -> Iterator[str]:
    """The chart in lines of text. Nothing for a run without calls."""
    if not bins:
        return
    medians = [each.median_ms for each in bins]
    slowest = [each.max_ms for each in bins]
    busy: list[float | None] = [float(each.at_once) for each in bins]
    rows = [("calls at once", busy)]
    if any(each is not None for each in medians):
        rows = [("answer delay, median ms", medians), ("answer delay, slowest ms", slowest), *rows]
    for name, values in rows:
        yield f"{name:<25} {_blocks(values)} {max(filter(None, values), default=0):.0f} at most"
    if any(each.failed for each in bins):
        marks = "".join("×" if each.failed else "·" for each in bins)
        yield f"{'failed':<25} {marks} {sum(each.failed for each in bins)}"
    yield f"{'':<25} 0 s{f'{seconds:.1f} s'.rjust(len(bins) - 3)}"


def _blocks(values: Sequence[float | None]) -> str:
    most = max((each for each in values if each is not None), default=0) or 1
    return "".join(" " if each is None else _BLOCKS[min(7, int(each / most * 7.999))] for each in values)


def _times(seconds: float) -> list[float]:
    """Round times from 0 to the end, at most eleven."""
    step = next((each for each in _STEPS_S if seconds / each <= 10), _STEPS_S[-1])
    return [round(number * step, 1) for number in range(int(seconds / step + 1e-9) + 1)]


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 8 times a power of ten, which four parts divide well."""
    if value <= 0:
        return 4
    power = 10.0 ** math.floor(math.log10(value))
    return next((each * power for each in (1, 2, 4, 8) if each * power >= value), 10 * power)


def _add(parent: etree._Element, tag: str, **attributes: object) -> etree._Element:
    child = etree.SubElement(parent, tag)
    for name, value in attributes.items():
        child.set(name, f"{value:.1f}" if isinstance(value, float) else str(value))
    return child


def _text(parent: etree._Element, x: float, y: float, text: str, **look: object) -> etree._Element:
    look = {"fill": _GREY, "anchor": "start", "size": 12} | look
    label = _add(parent, "text", x=x, y=y, fill=look["fill"])
    label.set("text-anchor", str(look["anchor"]))
    label.set("font-size", str(look["size"]))
    label.text = text
    return label
