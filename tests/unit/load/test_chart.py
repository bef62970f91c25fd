"""The charts."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from callwright.load import chart
from callwright.load.figures import Bin

BINS = [
    Bin(0.0, 20.0, 40.0, 2, 0),
    Bin(1.0, None, None, 5, 3),
    Bin(2.0, 30.0, 300.0, 0, 0),
]
SVG = "{http://www.w3.org/2000/svg}"


def test_the_svg_shows_delays_failures_and_calls_at_once() -> None:
    root = etree.fromstring(chart.svg(BINS, 3.0, f"20 calls < 30 & more\nto {'x' * 200}"))
    texts = {each.text: each for each in root.iter(f"{SVG}text")}
    assert texts["20 calls < 30 & more"].get("textLength") is None
    assert float(texts[f"to {'x' * 200}"].get("textLength")) < chart.WIDTH, "squeezed, not cut"
    assert {"0", "0.5", "1", "2.5", "3", "failed calls"} <= texts.keys()
    [line] = root.iter(f"{SVG}polyline")
    assert len(line.get("points").split()) == 2, "nothing is drawn where no call was answered"
    _legend, mark = root.iter(f"{SVG}circle")
    assert mark[0].text == "1.0 s: 3 failed"
    tall = [float(each.get("height")) for each in root.iter(f"{SVG}rect") if each.get("fill") == "#3a8f5c"]
    assert tall[1] == max(tall)
    assert tall[2] == 0


def test_a_run_without_calls_gives_an_empty_chart() -> None:
    assert etree.fromstring(chart.svg([], 0.0, "nothing")).tag == f"{SVG}svg"
    assert list(chart.terminal([], 0.0)) == []


def test_the_terminal_shows_the_same() -> None:
    median, slowest, busy, failed, axis = chart.terminal(BINS, 3.0)
    assert "▆ █ 30 at most" in median
    assert "▂ █ 300 at most" in slowest
    assert "▄█▁ 5 at most" in busy
    assert "·×· 3" in failed
    assert axis.strip().startswith("0 s")
    assert axis.endswith("3.0 s")


def test_without_an_answer_there_is_no_line_of_answer_delays() -> None:
    busy, failed, _axis = chart.terminal([BINS[1]] * 3, 3.0)
    assert busy.startswith("calls at once")
    assert failed.startswith("failed")


@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        (0, [0]),
        (0.3, [0, 0.1, 0.2, 0.3]),
        (11.4, [0, 2, 4, 6, 8, 10]),
        (290, list(range(0, 290, 30))),
    ],
)
def test_times_are_round(seconds: float, times: list[float]) -> None:
    assert chart._times(seconds) == times


@pytest.mark.parametrize(("value", "nice"), [(0, 4), (0.5, 0.8), (3, 4), (33, 40), (81, 100), (214, 400)])
def test_the_scale_ends_at_a_round_number(value: float, nice: float) -> None:
    assert chart._nice(value) == pytest.approx(nice)


def test_names_of_charts(tmp_path: Path) -> None:
    chart.check_name(tmp_path / "load.svg")
    with pytest.raises(chart.ChartError, match=r"let the name end in \.svg"):
        chart.check_name(tmp_path / "load.png")
    with pytest.raises(chart.ChartError, match="there is no directory"):
        chart.check_name(tmp_path / "missing" / "load.svg")
