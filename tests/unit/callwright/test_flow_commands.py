"""`callwright flow` without a running system: check, diff, draw."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callwright.cli import cli
from callwright.flow import picture
from ivr_flows import library

BROKEN = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parents[2] / "golden" / "broken").glob("*.json"))
}
ALONE = [name for name, case in BROKEN.items() if "world" not in case]
"""Those that are broken whatever else exists."""
DRAWN = [
    name
    for name, case in BROKEN.items()
    if isinstance(case["document"], dict) and case["document"].get("nodes") and name != "newer-format"
]


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["flow", *map(str, arguments)])
    return done.exit_code, done.output


def write(file: Path, document: object) -> Path:
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


class TestCheck:
    @pytest.mark.req("R21")
    @pytest.mark.parametrize("name", library.TEMPLATES)
    def test_a_template_has_no_finding(self, name: str, tmp_path: Path) -> None:
        code, output = run("check", write(tmp_path / "flow.json", library.template(name)), "--json")
        told = json.loads(output)
        assert (code, told["ok"], told["findings"]) == (0, True, [])

    @pytest.mark.req("R21")
    @pytest.mark.parametrize("name", ALONE)
    def test_a_broken_flow_has_exactly_its_findings(self, name: str, tmp_path: Path) -> None:
        broken = BROKEN[name]
        code, output = run("check", write(tmp_path / "flow.json", broken["document"]), "--json")
        findings = broken["findings"]
        ok = not any(finding["severity"] == "error" for finding in findings)
        told = json.loads(output)
        assert (told["ok"], told["findings"]) == (ok, findings)
        assert code == (2 if findings[0]["code"] == "bad_json" else 0 if ok else 1)

    def test_the_longest_way_to_a_person(self, tmp_path: Path) -> None:
        file = write(tmp_path / "flow.json", library.template("main"))
        told = json.loads(run("check", file, "--json")[1])["longest_to_person"]
        assert told == {"ms": 45_000, "path": ["answer", "welcome", "menu", "agent"]}
        assert run("check", file) == (0, f"{file}: ok, a person is reached after 45 s at most\n")

    def test_what_the_installation_must_have(self, tmp_path: Path) -> None:
        """The file alone can't tell whether it has them: an upload refuses what it hasn't."""
        file = write(tmp_path / "flow.json", library.template("callback_offer"))
        assert json.loads(run("check", file, "--json")[1])["needs"] == ["callbacks", "queues"]
        assert run("check", file)[1].endswith("; needs: callbacks, queues\n")
        file = write(tmp_path / "flow.json", library.template("main"))
        assert "needs" not in run("check", file)[1] + run("check", file, "--json")[1]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\xff\xfe", "not UTF-8 text: byte 0"),
            (b"{", "not JSON: line 1, column 2"),
            (b"[]", "a flow is a JSON object"),
            (b" " * 10_000_001, "more than 10000000 bytes"),
        ],
        ids=["no text", "no JSON", "no object", "10 MB"],
    )
    def test_what_can_not_be_read(self, tmp_path: Path, content: bytes, message: str) -> None:
        file = tmp_path / "flow.json"
        file.write_bytes(content)
        code, output = run("check", file, "--json")
        told = json.loads(output)
        assert (code, told["ok"]) == (2, False)
        assert message in told["findings"][0]["message"]

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        code, output = run("check", tmp_path / "none.json")
        assert code == 2
        assert "can't be read: No such file" in output

    def test_flows_that_are_given_together_know_each_other(self, tmp_path: Path) -> None:
        one, other = (_leading(tmp_path, name, to) for name, to in (("one", "other"), ("other", "one")))
        assert run("check", one)[0] == 0
        code, output = run("check", one, other)
        assert code == 1
        assert "endless_flows" in output
        assert "one -> other -> one" in output

    def test_sound_files_that_are_missing(self, tmp_path: Path) -> None:
        document = library.template("main")
        document["prompts"]["welcome"] = {"cs": "mine/cs.wav", "en": "mine/en.wav"}
        (tmp_path / "prompts" / "mine").mkdir(parents=True)
        (tmp_path / "prompts" / "mine" / "cs.wav").touch()
        file = write(tmp_path / "flow.json", document)
        findings = json.loads(run("check", file, "--prompts", tmp_path / "prompts", "--json")[1])["findings"]
        assert [(each["code"], each["field"]) for each in findings] == [("missing_sound", "prompts.welcome.en")]


def _leading(directory: Path, flow: str, target: str) -> Path:
    envelope = {"schema": "callwright/flow/1", "id": flow, "name": flow, "kind": "inbound", "languages": ["cs"]}
    nodes = {"go": {"type": "goto_flow", "flow": target}}
    return write(directory / f"{flow}.json", {**envelope, "entry": "go", "nodes": nodes})


class TestDiff:
    def test_node_by_node(self, tmp_path: Path) -> None:
        document = library.template("main")
        before = write(tmp_path / "before.json", document)
        document["layout"] = {"menu": {"x": 1, "y": 2}}
        assert run("diff", before, write(tmp_path / "after.json", document)) == (0, "the same\n")
        document["nodes"]["menu"]["exits"]["no_input"] = "agent"
        del document["nodes"]["number-hidden"]
        document["nodes"]["bye"] = {"type": "hangup", "reason": "enough"}
        code, output = run("diff", before, write(tmp_path / "after.json", document))
        assert code == 1
        assert '~ node menu\n    exits.no_input: "goodbye" -> "agent"\n' in output
        assert "- node number-hidden\n" in output
        assert '+ node bye\n    type: "hangup"\n    reason: "enough"\n' in output
        changes = json.loads(run("diff", before, tmp_path / "after.json", "--json")[1])
        assert [(each["what"], each["name"]) for each in changes] == [
            ("changed", "menu"), ("removed", "number-hidden"), ("added", "bye"),
        ]  # fmt: skip

    def test_what_can_not_be_read(self, tmp_path: Path) -> None:
        good = write(tmp_path / "good.json", library.template("main"))
        newer = write(tmp_path / "newer.json", {**library.template("main"), "schema": "callwright/flow/2"})
        for other, message in ((tmp_path / "none.json", "can't be read"), (newer, "newer than callwright/flow/1")):
            code, output = run("diff", good, other)
            assert code == 2
            assert message in output


class TestDraw:
    @pytest.fixture(autouse=True)
    def graphviz(self) -> None:
        pytest.importorskip("pygraphviz")

    @pytest.mark.parametrize("name", library.TEMPLATES)
    def test_every_node_and_exit_of_a_template(self, name: str, tmp_path: Path) -> None:
        document = library.template(name)
        code, output = run("draw", write(tmp_path / "flow.json", document), "-o", tmp_path / "flow.svg")
        assert (code, output) == (0, "")
        drawn = (tmp_path / "flow.svg").read_text(encoding="utf-8")
        assert {*document["nodes"], "(entry)"} <= set(_titles(drawn, "node"))
        wired = {(source, to) for source, node in document["nodes"].items() for to in node.get("exits", {}).values()}
        ways = {tuple(title.split("->")) for title in _titles(drawn, "edge")}
        assert ways == wired | {("(entry)", document["entry"])}
        assert picture.RED not in drawn

    @pytest.mark.parametrize("name", DRAWN)
    def test_what_is_broken_is_drawn_as_far_as_it_goes(self, name: str) -> None:
        drawn = picture.draw(BROKEN[name]["document"])
        assert (picture.RED in picture.render(drawn, "svg").decode()) == bool(drawn.findings)

    def test_mistakes_are_red(self) -> None:
        document = library.template("main")
        del document["nodes"]["menu"]["exits"]["invalid"]
        document["nodes"]["agents-busy"]["exits"] = {"done": "agent", "error": "nowhere"}
        drawn = picture.draw(document)
        assert drawn.nodes["menu"]["color"] == drawn.nodes["agent"]["color"] == picture.RED
        assert "color" in drawn.nodes["welcome"]
        assert drawn.nodes["welcome"]["color"] != picture.RED
        red = {(source, to) for source, to, look in drawn.edges if look.get("color") == picture.RED}
        assert red == {
            ("menu", "?menu.invalid"), ("agents-busy", "?nowhere"), ("agent", "agents-busy"), ("agents-busy", "agent"),
        }  # fmt: skip
        assert len(drawn.findings) == 4

    def test_an_end_with_many_ways_to_it_is_drawn_for_each(self) -> None:
        nodes: dict[str, Any] = {
            f"n{number}": {"type": "play", "prompts": ["p"], "exits": {"done": f"n{number + 1}", "error": "bye"}}
            for number in range(5)
        }
        document = {"entry": "n0", "nodes": {**nodes, "n5": {"type": "hangup"}, "bye": {"type": "hangup"}}}
        drawn = picture.draw(document)
        assert "bye" not in drawn.nodes
        assert len([name for name in drawn.nodes if name.endswith("> bye")]) == 5
        assert "n5" in drawn.nodes

    def test_names_that_would_be_read_as_markup(self) -> None:
        name = '<b>"\\n&\x07'
        document = {"name": name, "entry": name, "nodes": {name: {"type": name, "exits": {name: name}}}}
        drawn = picture.render(picture.draw(document), "svg").decode()
        assert "\x07" not in drawn
        assert "&lt;b&gt;" in drawn

    def test_wide_flows_are_turned(self) -> None:
        nodes = {f"n{number}": {"type": "hangup"} for number in range(12)}
        keys = {key: f"k{number}" for number, key in enumerate("0123456789*#")}
        exits = {f"k{number}": f"n{number}" for number in range(12)}
        menu = {"type": "menu", "prompts": [], "keys": keys, "exits": {**exits, "no_input": "n0", "invalid": "n0"}}
        drawn = picture.draw({"entry": "menu", "nodes": {"menu": menu, **nodes}})
        assert _shape(picture.render(drawn, "svg", "down")) > 2
        assert _shape(picture.render(drawn, "svg")) < 1

    def test_a_picture_in_pixels(self, tmp_path: Path) -> None:
        file = write(tmp_path / "flow.json", library.template("main"))
        assert run("draw", file, "-o", tmp_path / "flow.png")[0] == 0
        assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")

    def test_a_knot_is_given_up(self) -> None:
        """Graphviz would take hours; what it has to do is far from what a tenth of a second allows on any machine."""
        nodes = {
            f"n{number}": {"type": "branch", "exits": {f"e{by}": f"n{number * by % 997}" for by in range(2, 14)}}
            for number in range(997)
        }
        drawn = picture.draw({"entry": "n1", "nodes": nodes})
        with pytest.raises(picture.DrawingFailed, match=r"12\d{3} edges in 0.1 s; write it as .dot"):
            picture.render(drawn, "svg", patience_s=0.1)
        assert b"n1 -> n2" in picture.render(drawn, "dot")

    def test_what_graphviz_itself_says(self) -> None:
        broken = picture.Picture("x", nodes={"a": {"label": "<<b>unclosed>"}})
        with pytest.raises(picture.DrawingFailed, match=r"Graphviz can't draw this: .+"):
            picture.render(broken, "tiff-of-old")

    def test_what_is_no_picture(self, tmp_path: Path) -> None:
        file = write(tmp_path / "flow.json", library.template("main"))
        code, output = run("draw", file, "-o", tmp_path / "flow.jpg")
        assert code == 2
        assert "one of .svg, .png, .dot" in output
        code, output = run("draw", write(tmp_path / "empty.json", {}), "-o", tmp_path / "flow.svg")
        assert (code, output) == (1, "Error: the document has no nodes that could be drawn\n")
        assert run("draw", file, "-o", tmp_path / "no" / "flow.svg")[0] == 1


def test_without_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pygraphviz", None)
    with pytest.raises(picture.DrawingFailed, match=r"pip install 'callwright\[draw\]'"):
        picture.render(picture.draw(library.template("main")), "svg")


def _titles(drawn: str, kind: str) -> list[str]:
    found = re.findall(rf'class="{kind}">\s*(?:<!--.*?-->\s*)?<title>(.*?)</title>', drawn, re.DOTALL)
    return [title.replace("&#45;", "-").replace("&gt;", ">") for title in found]


def _shape(drawn: bytes) -> float:
    size = re.search(r'width="(\d+)pt" height="(\d+)pt"', drawn.decode())
    assert size is not None
    return int(size[1]) / int(size[2])
