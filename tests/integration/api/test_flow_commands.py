"""`callwright flow` against an API that is served as it is served to others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callwright.cli import cli
from engine.domain.call import Visit
from engine.store.calls import CallStore
from ivr_flows import library, load_stored
from tests.integration.api.conftest import KEY, Api
from tests.integration.store.samples import record


@pytest.fixture
def main(api: Api, tmp_path: Path) -> Path:
    api.put("/agents/alice", {"name": "Alice", "sip_password": "a-long-password"})
    return write(tmp_path, library.template("main"))


def write(directory: Path, document: dict[str, Any]) -> Path:
    file = directory / f"{document['id']}-{document['name']}.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def run(served: str, *arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["flow", *map(str, arguments)], env={"API": served, "KEY": KEY})
    return done.exit_code, done.output


@pytest.mark.req("R21")
def test_from_upload_to_roll_back(served: str, main: Path, tmp_path: Path) -> None:
    code, output = run(served, "upload", main, "--activate")
    first = load_stored(library.template("main")).version
    assert (code, output) == (0, f"main@{first} checked\nmain@{first} is active\n")
    other = write(tmp_path, {**library.template("main"), "name": "Other"})
    second = load_stored(json.loads(other.read_text())).version
    assert run(served, "upload", other) == (0, f"main@{second} checked\n")
    assert run(served, "upload", other) == (0, f"main@{second} checked (was there already)\n")

    difference = '~ flow main\n    name: "Main line" -> "Other"\n'
    assert run(served, "diff", "main@active", other) == (1, difference)
    assert run(served, "diff", f"main@{first}", f"main@{second}") == (1, difference)
    assert run(served, "diff", "main@active", main) == (0, "the same\n")

    assert run(served, "activate", "main", second) == (0, f"main@{second} is active\n")
    assert run(served, "rollback", "main") == (0, f"main@{first} is active\n")
    code, output = run(served, "list")
    assert (code, output.split()) == (0, ["main", "inbound", first, "Other"])
    code, output = run(served, "list", "main")
    assert f"  {second}  checked   uploaded 2026-09-21T14:15:00.000Z by bootstrap\n" in output
    assert output.count("activated 2026-09-21") == 3
    assert json.loads(run(served, "list", "main", "--json")[1])["active_version"] == first
    code, output = run(served, "rollback", "main")
    assert (code, "refused: 409 No version to go back to" in output) == (1, True), "and not back to the second"


@pytest.mark.req("R21")
def test_what_the_api_refuses_is_told_with_every_finding(served: str, main: Path, tmp_path: Path) -> None:
    document = library.template("main")
    document["nodes"]["agent"]["agent"] = "nobody"
    broken = write(tmp_path, {**document, "name": "Broken"})
    code, output = run(served, "upload", broken)
    assert code == 1
    assert "refused: 422" in output
    assert "  error missing_reference: node 'agent', field 'agent': there is no agent 'nobody'" in output
    code, output = run(served, "upload", broken, "--draft")
    assert code == 0
    assert output.endswith(" draft\n")
    assert run(served, "upload", broken, "--draft", "--activate")[0] == 2
    assert run(served, "rollback", "main") == (1, "Error: no version of main is active\n")
    assert run(served, "rollback", "nothing")[0] == 1
    assert "no version of the flow 'main' is active" in run(served, "diff", "main@active", main)[1]
    assert "refused: 404" in run(served, "diff", "other@active", main)[1]


def test_an_api_that_does_not_answer(main: Path) -> None:
    code, output = run("http://127.0.0.1:1", "list")
    assert code == 1
    assert "the API doesn't answer" in output
    assert run("ftp://127.0.0.1", "list")[0] == 2


@pytest.mark.req("R21")
def test_coverage_by_real_calls(api: Api, served: str, main: Path) -> None:
    version = load_stored(library.template("main")).version
    code, output = run(served, "coverage", main, "--from-calls")
    assert code == 0
    assert "0 calls came through it" in output

    def visit(node: str, exit_name: str | None) -> Visit:
        return Visit(flow="main", version=version, node=node, entered_ms=1, left_ms=2, exit=exit_name)

    begin = (visit("answer", "next"), visit("welcome", "done"))
    paths = [
        (*begin, visit("menu", "agent"), visit("agent", "finished"), visit("hangup", None)),
        (*begin, visit("menu", None)),
        (Visit(flow="main", version="0" * 16, node="answer", entered_ms=1, left_ms=2, exit="next"),),
    ]
    for number, path in enumerate(paths):
        CallStore(api.database).write(replace(record(), call_id=f"call-{number}", path=path, recordings=()), ())
    found = json.loads(run(served, "coverage", main, "--from-calls", "--json")[1])
    assert (found["calls"], found["version"]) == (2, version)
    nodes = {each["node"]: each for each in found["nodes"]}
    assert (nodes["menu"]["visits"], nodes["menu"]["ended"], nodes["answer"]["visits"]) == (2, 1, 2)
    assert {each["exit"]: each["taken"] for each in nodes["menu"]["exits"]} == {
        "agent": 1, "number": 0, "no_input": 0, "invalid": 0,
    }  # fmt: skip
    assert "menu.number" in found["never"]
    assert "menu.agent" not in found["never"]
    assert json.loads(run(served, "coverage", main, "--from-calls", "--any-version", "--json")[1])["calls"] == 3
    code, output = run(served, "coverage", main, "--from-calls")
    assert "number -> has-number" in output
    assert output.splitlines()[-1] == "4 of 23 exits were taken"
