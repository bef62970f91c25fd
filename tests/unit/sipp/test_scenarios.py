"""Rules for scenario files, held for all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from sipp_scenarios.runner import DIRECTORY

FILES = sorted(DIRECTORY.glob("*.xml"))
NAMES = re.compile(r"uac_[a-z0-9_]+_expect_[a-z0-9_]+|uas_agent_[a-z0-9_]+")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 34


def test_its_name_says_who_and_what_is_expected(file: Path) -> None:
    assert NAMES.fullmatch(file.stem)


def test_nothing_is_waited_for_without_an_end(file: Path) -> None:
    root = etree.parse(file).getroot()
    waits = [each for each in root.iter("recv") if each.get("optional") is None]
    # a phone waits for its first call for as long as the test goes on
    waits = waits[1:] if file.stem.startswith("uas_") else waits
    assert waits
    assert all(each.get("timeout") for each in waits)


def test_the_expected_answer_is_demanded(file: Path) -> None:
    root = etree.parse(file).getroot()
    demanded = {each.get("response") or each.get("request") for each in root.iter("recv") if not each.get("optional")}
    wanted = set(re.findall(r"\d{3}", file.stem.partition("_expect_")[2]))
    if file.stem.endswith(("_talk", "_goodbye", "_by_agent")):
        wanted.add("BYE")
    assert wanted <= demanded


def test_it_says_what_it_is_for(file: Path) -> None:
    comment = re.search(r"<!--(.+?)-->", file.read_text(encoding="utf-8"), re.DOTALL)
    assert comment
    assert len(comment[1]) > 30


def test_every_jump_has_its_target(file: Path) -> None:
    root = etree.parse(file).getroot()
    labels = {each.get("id") for each in root.iter("label")}
    jumps = {each.get(name) for each in root.iter() for name in ("next", "ontimeout")} - {None}
    assert jumps == labels
