"""`callwright replay`: finished calls once more, from journals that the engine's own sessions wrote."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import ivr_flows
from callwright.cli import cli
from engine.domain.journal import FORMAT
from engine.switch.port import Digits, Played, TimedOut
from ivr_flows import document as documents
from ivr_flows import library
from tests.unit.session.bench import Bench, returned
from tests.unit.session.calls import to_conversation
from tests.unit.session.fake_switch import FakeChannel, Gone

JOURNALS = Path(__file__).parent / "journals"
MAIN = library.template("main")
VERSION = documents.version(MAIN)


def replay(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["replay", *map(str, arguments)])
    return done.exit_code, click.unstyle(done.stdout), done.stderr


def write(file: Path, content: Any) -> Path:
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def recorded(*script: Any) -> list[Any]:
    """The journal of a call to the template `main`."""
    bench = Bench(ivr_flows.load(MAIN))
    bench.run(FakeChannel(script=list(script)))
    return entries(bench)


def entries(bench: Bench) -> list[Any]:
    return [json.loads(line) for line in bench.journal.streams["a-leg"]]


def talked() -> list[Any]:
    """A call that the agent answered and ended after a minute."""
    bench = Bench(ivr_flows.load(MAIN))
    channel = FakeChannel(script=[Played(), Digits("1")])
    running, leg = to_conversation(bench, channel)
    bench.clock.ms += 60_000
    bench.run(returned(channel, leg, [Played()]))
    running.join(5)
    return entries(bench)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return write(tmp_path / "main.json", MAIN)


def changed(tmp_path: Path, **nodes: Any) -> Path:
    """Another version of `main`."""
    document = json.loads(json.dumps(MAIN))
    for name, fields in nodes.items():
        document["nodes"][name.replace("_", "-")] |= fields
    return write(tmp_path / "changed.json", document)


CALLS = {
    "no key": lambda: recorded(Played(), TimedOut(), TimedOut(), TimedOut(), Played()),
    "hung up in the welcome": lambda: recorded(Gone()),
    "hung up in the menu": lambda: recorded(Played(), Gone()),
    "number read out": lambda: recorded(Played(), Digits("2"), Played(), Gone()),
    "talked with an agent": talked,
}


@pytest.mark.req("R124")
@pytest.mark.parametrize("name", CALLS)
def test_the_same_version_does_the_same(name: str, tmp_path: Path, main: Path) -> None:
    file = write(tmp_path / "journal.json", CALLS[name]())
    code, told, _ = replay("--journal", file, "--flow", main)
    assert (code, told.splitlines()[-1]) == (0, "the same")
    code, told, _ = replay("--journal", file, "--flow", main, "--json")
    found = json.loads(told)
    assert (code, found["same"], found["difference"], found["version"]) == (0, True, None, VERSION)
    assert (found["timeline"][0]["kind"], found["timeline"][-1]["kind"]) == ("started", "ended")


@pytest.mark.parametrize("name", CALLS)
def test_another_version_parts_where_it_is_different(name: str, tmp_path: Path) -> None:
    """Each of these calls comes through the welcome, which now has a key to stop it."""
    file = write(tmp_path / "journal.json", CALLS[name]())
    exits = {"done": "menu", "key": "menu", "error": "menu"}
    code, told, _ = replay(
        "--journal", file, "--json", "--flow", changed(tmp_path, welcome={"stop_keys": "1", "exits": exits})
    )
    difference = json.loads(told)["difference"]
    assert (code, difference["step"]) == (1, 1)
    assert difference["recorded"]["entered"] == difference["now"]["entered"] == ["main/welcome by next"]
    asked = (difference["recorded"]["instruction"]["stop_keys"], difference["now"]["instruction"]["stop_keys"])
    assert asked == ("", "1")


def test_what_the_other_version_would_have_done(tmp_path: Path) -> None:
    file = write(tmp_path / "journal.json", talked())
    exits = {**MAIN["nodes"]["menu"]["exits"], "agent": "agents-busy"}
    code, told, _ = replay("--journal", file, "--flow", changed(tmp_path, menu={"exits": exits}))
    assert code == 1
    assert "first difference after 0.000 s, at step 3\n  then: main/agent by agent: connect  target" in told
    assert "\n  now:  main/agents-busy by agent: play  media" in told


def test_a_version_that_goes_on_where_the_call_was_over(tmp_path: Path) -> None:
    journal = recorded(Played(), TimedOut(), TimedOut(), TimedOut(), Played())
    file = write(tmp_path / "journal.json", journal)
    exits = {**MAIN["nodes"]["menu"]["exits"], "no_input": "agent"}
    code, told, _ = replay("--journal", file, "--json", "--flow", changed(tmp_path, menu={"exits": exits}))
    assert (code, json.loads(told)["difference"]["now"]["entered"]) == (1, ["main/agent by no_input"])


def test_the_time_line_of_a_kept_journal() -> None:
    """Written by an engine of this format; a later one must still read and run it."""
    code, told, _ = replay("--journal", JOURNALS / "main-agent.json", "--flow", JOURNALS / "main-agent.flow.json")
    assert (code, told) == (0, (JOURNALS / "main-agent.txt").read_text(encoding="utf-8"))


def test_the_time_line_of_a_call_in_a_queue(tmp_path: Path) -> None:
    *before, end = json.loads((JOURNALS / "main-agent.json").read_text(encoding="utf-8"))["entries"]
    joined = {"kind": "queue", "event": "joined", "queue": "support", "happened_ms": before[-1]["at_ms"]}
    offered = {"kind": "queue", "event": "offered", "queue": "support", "offer": "7", "agents": ["alice", "bob"]}
    in_queue = [{"at_ms": before[-1]["at_ms"], "event": event} for event in (joined, offered)]
    journal = [{**entry, "n": n} for n, entry in enumerate([*before, *in_queue, end], 1)]
    file = write(tmp_path / "journal.json", journal)
    _, told, _ = replay("--journal", file, "--flow", JOURNALS / "main-agent.flow.json")
    lines = [line.split(maxsplit=1)[1] for line in told.splitlines() if " queue " in line]
    assert lines == ["queue joined  queue support", 'queue offered  queue support, offer 7, agents ["alice", "bob"]']


def test_a_journal_of_lines_and_one_of_the_api(tmp_path: Path, main: Path) -> None:
    journal = recorded(Gone())
    lines = tmp_path / "lines"
    lines.write_text("\n".join(map(json.dumps, journal)), encoding="utf-8")
    for file in (lines, write(tmp_path / "api.json", {"call_id": "a-leg", "entries": journal})):
        assert replay("--journal", file, "--flow", main)[0] == 0
    lines.write_text(json.dumps(journal[0]), encoding="utf-8")
    code, told, _ = replay("--journal", lines, "--flow", main)
    assert (code, "the journal ends before the call does" in told) == (0, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "neither JSON nor an entry a line"),
        ('{"a": 1}', "a journal is a list of entries"),
        ("[]", "doesn't begin with the entry 'started'"),
        ('[{"n": 1, "at_ms": 0, "event": {"kind": "boom"}}]', "entry 1 is no entry of a journal: event"),
        ('[{"n": 2, "at_ms": 0, "event": {"kind": "attached", "engine": "e", "attempt": 1}}]', "entry 1 is missing"),
    ],
)
def test_what_is_no_journal(content: str, message: str, tmp_path: Path, main: Path) -> None:
    file = tmp_path / "journal.json"
    file.write_text(content, encoding="utf-8")
    code, _, told = replay("--journal", file, "--flow", main)
    assert (code, message in told) == (2, True), told


def test_what_this_release_does_not_know(tmp_path: Path, main: Path) -> None:
    journal = recorded(Gone())
    given = next(each["event"] for each in journal if each["event"]["kind"] == "instruction")
    given["instruction"]["op"] = "dance"
    code, _, told = replay("--journal", write(tmp_path / "journal.json", journal), "--flow", main)
    assert (code, "step 0 holds what this release doesn't know" in told) == (2, True)
    journal[0]["event"]["format"] = 9
    told = replay("--journal", write(tmp_path / "journal.json", journal), "--flow", main)[2]
    assert f"the journal is of format 9; this release reads {FORMAT} and older" in told


def test_a_flow_that_the_call_never_came_to(tmp_path: Path) -> None:
    other = write(tmp_path / "other.json", library.template("survey"))
    code, _, told = replay("--journal", write(tmp_path / "j.json", recorded(Gone())), "--flow", other)
    assert (code, "the call never came to survey; the flows that it came to: main" in told) == (2, True)


def test_one_of_call_and_journal(tmp_path: Path) -> None:
    assert replay()[0] == 2
    assert "one of the two" in replay("c1", "--journal", tmp_path)[2]


class FakeApi(BaseHTTPRequestHandler):
    answers: dict[str, Any] = {}  # noqa: RUF012 - one server at a time

    def do_GET(self) -> None:
        body = self.answers.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(json.dumps(body or {"title": "not here", "detail": f"no {self.path}"}).encode())

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def api() -> Iterator[tuple[str, ...]]:
    FakeApi.answers = {
        "/calls/a-leg/journal": {"call_id": "a-leg", "entries": talked()},
        f"/flows/main/versions/{VERSION}": MAIN,
        "/flows/main": {"active_version": VERSION},
    }
    with HTTPServer(("127.0.0.1", 0), FakeApi) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield ("--api", f"http://127.0.0.1:{server.server_port}", "--key", "k")
        server.shutdown()
        thread.join()


@pytest.mark.req("R124")
def test_over_the_api(api: tuple[str, ...], tmp_path: Path) -> None:
    assert replay("a-leg", *api)[1].endswith("\nthe same\n")
    for same in (VERSION, "main@active", f"main@{VERSION}"):
        assert replay("a-leg", "--flow", same, *api)[1].endswith("\nthe same\n")
    assert replay("a-leg", "--flow", changed(tmp_path, welcome={"prompts": ["goodbye"]}), *api)[0] == 1
    elsewhere = changed(tmp_path, goodbye={"prompts": ["welcome"]})
    assert replay("a-leg", "--flow", elsewhere, *api)[1].endswith("\nthe same with the other version\n")


def test_what_is_gone(api: tuple[str, ...], main: Path) -> None:
    code, _, told = replay("b-leg", *api)
    assert (code, "404 not here: no /calls/b-leg/journal" in told) == (2, True)
    del FakeApi.answers[f"/flows/main/versions/{VERSION}"]
    code, _, told = replay("a-leg", *api)
    assert (code, f"the call's version of main is {VERSION}; where its file is kept, give it" in told) == (2, True)
    assert replay("a-leg", "--flow", main, *api)[0] == 0
    assert replay("a-leg", "--flow", "f" * 16, *api)[0] == 2
    nobody = ("--api", "http://127.0.0.1:1", "--key", "k")
    assert "the API doesn't answer" in replay("a-leg", *nobody)[2]
