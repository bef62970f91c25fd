"""`callwright flow run` and `flow fuzz`: callers without a telephone."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from callwright.caller import answers, course
from callwright.caller.script import ScriptError, parse, text_of
from callwright.cli import cli
from callwright.flow import fuzzing
from ivr_flows import CallData, codec, golden, instructions, library, load_stored
from ivr_flows.flow import Limits
from ivr_flows.instructions import INSTRUCTIONS
from ivr_flows.node import ANSWERS
from ivr_flows.nodes.return_flow import ReturnFlow
from ivr_flows.results import QueueStanding

GOLDEN = Path(__file__).parents[2] / "golden" / "flows"


def run(*arguments: object, typed: str | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["flow", *map(str, arguments)], input=typed)
    return done.exit_code, done.stdout, done.stderr


def write(directory: Path, document: dict[str, Any]) -> Path:
    file = directory / f"{document['id']}.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def flow(nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": "callwright/flow/1",
        "id": "f",
        "name": "F",
        "kind": "inbound",
        "languages": ["en"],
        "prompts": {"a": {"en": {"tts": "Press one."}}},
        "entry": next(iter(nodes)),
        "nodes": nodes,
        **more,
    }


MENU = {"type": "menu", "prompts": ["a"], "keys": {"1": "one"}}
BYE = {"type": "hangup"}
CALL_ME = {"type": "return_flow"}
"""Where nobody called, a flow error: a check refuses it, so that a flow with it must be met by a caller."""


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return write(tmp_path, library.template("main"))


class TestScript:
    def test_text_and_back(self) -> None:
        text = '12#,silence,pause 5s,pause 20ms,ok,connect=busy,http={"kind": "http_answered", "status": 200, "values": {"a": "x,y"}},hangup,again 2'  # noqa: E501
        items = parse(text)
        assert text_of(items) == text
        assert len(items) == 9
        assert parse(" agent=busy , pause 1m ") == parse("connect=busy,pause 60s")
        assert parse("") == ()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1,x", "column 3: 'x' is none of: keys"),
            ("1,,2", "column 3: '' is none of"),
            ("pause 0s", "column 1: 'pause 0s' is none of"),
            ("again 1", "column 1: 'again 1', but 0 items stand before it"),
            ("1,again 2", "column 3: 'again 2', but 1 items"),
            ("1,again 1,2", "column 11: nothing can follow 'again 1'"),
            ("agnet=busy", "'agnet' is nothing that a flow asks for; there are: agent, amd"),
            ("1,agent=bussy", "column 3: 'bussy' is no answer to connect; words are: talked, cut_off, busy"),
            ("http={", "column 6: not JSON"),
            ('http={"kind": "done"}', "a result of the kind 'done' is no answer to http"),
            ('agent={"kind": "x"}', "no result of a flow's instruction"),
        ],
    )
    def test_what_is_no_script(self, text: str, message: str) -> None:
        with pytest.raises(ScriptError) as refused:
            parse(text)
        assert message in str(refused.value)

    def test_every_answer_to_every_instruction_has_a_word(self) -> None:
        for each in INSTRUCTIONS:
            op = each.__dataclass_fields__["op"].default  # type: ignore[attr-defined]
            words = answers.WORDS[op]
            assert all(isinstance(result, ANSWERS[each]) for result in words.values())
            spoken = {type(result).__name__ for result in words.values()} | {"Collected", "FlowEntered"}
            assert {answer.__name__ for answer in ANSWERS[each]} <= spoken
            for word, result in words.items():
                assert answers.answer(op, word) == result
                assert answers.answer(op, json.dumps(codec.dump_result(result))) == result

    def test_values_of_http_and_contacts(self) -> None:
        assert answers.answer("http", '{"name": "Eva"}').values == {"name": "Eva"}  # type: ignore[union-attr]
        assert answers.answer("find_contact", '{"pin": "1"}').fields == {"pin": "1"}  # type: ignore[union-attr]


class TestRun:
    def test_a_call_by_a_script(self, main: Path) -> None:
        code, told, _ = run("run", main, "--keys", "2,pause 5s,1,agent=busy")
        assert code == 0
        assert "general/cs/welcome.wav: Dobrý den, vítejte na naší lince." in told
        assert '    connect  target {"agent": "alice", "kind": "agent"}' in told
        assert told.endswith("hangup at main/unserved after 22.4 s: NORMAL_CLEARING, no agent\n")

    @pytest.mark.parametrize(
        ("keys", "end"),
        [
            ("hangup", "caller_gone at main/answer after 0.0 s"),
            ("pause 7s,hangup", "caller_gone at main/menu after 7.0 s"),
            ("pause 5s,hangup", "caller_gone at main/menu after 5.0 s"),
            ("1,pause 2s,hangup", "caller_gone at main/agent after 8.5 s"),
            ("1,agent=talked", "hangup at main/"),
            ("21", "hangup at main/"),
        ],
    )
    def test_time_passes_on_the_virtual_clock(self, main: Path, keys: str, end: str) -> None:
        assert end in run("run", main, "--keys", keys)[1]

    @pytest.mark.req("R30")
    def test_a_caller_who_waits_in_a_queue(self, tmp_path: Path) -> None:
        file = write(tmp_path, library.template("waiting"))
        there = ("--position", "3", "--wait", "120-240", "--language", "en")
        code, told, _ = run("run", file, "--keys", "pause 10s,hangup", *there)
        assert code == 0
        assert '"you are third in the queue"' in told
        assert '"expect to wait between two and four minutes"' in told
        case = json.loads(run("run", file, "--keys", "pause 10s,hangup", *there, "--repro")[1])
        assert [turn.get("standing", {}).get("waited_s") for turn in case["exchange"]] == [5, 6, 9, None]
        assert golden.rehearse(case) == case
        assert "you are" not in run("run", file, "--keys", "pause 10s,hangup", "--language", "en")[1]

    @pytest.mark.parametrize("wait", ["240", "-240", "two-four", "1-1234567"])
    def test_an_expected_wait_that_is_no_range(self, main: Path, wait: str) -> None:
        code, _, told = run("run", main, "--keys", "", "--wait", wait)
        assert (code, f"--wait: '{wait}' is no range in seconds, like 120-240" in told) == (2, True)

    def test_keys_that_are_typed_ahead_wait_for_their_menu(self, main: Path) -> None:
        assert "main/agent  (agent)" in run("run", main, "--keys", "21")[1]

    def test_what_was_not_used_is_told(self, main: Path) -> None:
        code, _, told = run("run", main, "--keys", "hangup,7,http=timeout")
        assert (code, told) == (2, "not used, the call was over before: 7, http=timeout\n")

    def test_a_person_in_a_terminal(self, main: Path) -> None:
        code, told, _ = run("run", main, typed="2\nnonsense\n1\nbusy\n")
        assert code == 0
        assert "'nonsense' is none of: keys" in told
        assert "> talked, cut_off, busy, no_answer, rejected, not_ready, failed; Enter: talked" in told
        assert 'not_connected: why "busy"' in told

    def test_who_presses_h_or_leaves_the_terminal_hangs_up(self, main: Path) -> None:
        assert "caller_gone at main/menu" in run("run", main, typed="h\n")[1]
        assert "caller_gone at main/menu" in run("run", main, typed="")[1]

    def test_the_golden_case_is_the_one_that_is_kept(self, main: Path) -> None:
        kept = json.loads((GOLDEN / "run-agent-busy.json").read_text(encoding="utf-8"))
        code, printed, told = run(
            "run", main, "--keys", "2,pause 3s,1,agent=busy", "--from", "+420777111222", "--repro"
        )
        case = json.loads(printed)
        assert code == 0
        assert "hangup at main/unserved" in told
        assert golden.rehearse(case) == case
        assert {**case, "flows": ["main"]} == kept

    def test_a_hangup_with_clean_up_is_a_golden_case_too(self, tmp_path: Path) -> None:
        file = write(tmp_path, library.template("survey"))
        code, printed, _ = run("run", file, "--keys", "3,hangup", "--repro")
        case = json.loads(printed)
        assert code == 0
        assert case["outcome"]["end"] == "caller_gone"
        assert golden.rehearse(case) == case

    def test_a_flow_that_leads_to_another(self, tmp_path: Path, main: Path) -> None:
        document = library.template("opening_hours")
        file = write(tmp_path, document)
        alone = run("run", file, "--keys", "")
        assert (alone[0], "goes on in the flow main; give its file too" in alone[1]) == (0, True)
        assert "main/welcome" in run("run", file, main, "--keys", "")[1]
        refused = run("run", file, "--keys", "", "--repro")
        assert (refused[0], "Error: no golden case: the call goes on in the flow main" in refused[2]) == (1, True)

    def test_a_flow_that_fails(self, tmp_path: Path) -> None:
        file = write(tmp_path, flow({"out": CALL_ME}))
        code, told, _ = run("run", file, "--keys", "")
        assert code == 1
        assert "flow_error at f/out" in told

    def test_what_can_not_be_read(self, tmp_path: Path, main: Path) -> None:
        broken = write(tmp_path, flow({"bye": {"type": "hangupp"}}))
        assert run("run", main, "--keys", "1,x")[0] == 2
        assert run("run", tmp_path / "none.json", "--keys", "")[0] == 2
        code, _, told = run("run", broken, "--keys", "")
        assert code == 2
        assert "hangupp" in told
        assert "callwright flow check tells all" in told
        assert "was given already" in run("run", main, main, "--keys", "")[2]


class TestFuzz:
    @pytest.mark.req("R20", "R21")
    @pytest.mark.parametrize("name", library.TEMPLATES)
    def test_no_caller_comes_to_harm_in_a_template(self, name: str, tmp_path: Path) -> None:
        file = write(tmp_path, library.template(name))
        code, printed, _ = run("fuzz", file, "--callers", 150, "--json")
        told = json.loads(printed)
        assert (code, told["ok"]) == (0, True), told
        assert [each for each in told["failures"] if not each["by_caller"]] == []

    def test_all_nodes_are_reached_or_named(self, tmp_path: Path) -> None:
        nodes = {
            "menu": {**MENU, "exits": {"one": "never", "no_input": "bye", "invalid": "bye"}},
            "never": {
                "type": "branch",
                "cases": [{"when": "call.ani == call.did + 'x'", "exit": "yes"}],
                "exits": {"yes": "hidden", "default": "bye"},
            },
            "hidden": BYE,
            "bye": BYE,
        }
        file = write(tmp_path, flow(nodes))
        code, printed, _ = run("fuzz", file, "--callers", 100, "--json")
        assert (code, json.loads(printed)["never"]) == (0, {"f": ["never.yes", "hidden"]})
        told = run("fuzz", file, "--callers", 100)[1]
        assert "f: 3 of 4 nodes reached\n  never reached: never.yes, hidden\n" in told

    def test_digits_that_fit_and_values_that_are_compared_are_found(self, tmp_path: Path) -> None:
        """A PIN with a check digit that is the contact's own, by guessing: one in ten thousands."""
        pin = {"type": "collect", "prompts": ["a"], "variable": "pin", "patterns": ["XXXXX"], "check": "luhn"}
        case = {"when": "known != '' and pin == known", "exit": "same"}
        found = dict.fromkeys(("many", "none", "error"), "bye")
        nodes = {
            "who": {"type": "lookup", "variables": {"known": "pin"}, "exits": {"one": "ask", **found}},
            "ask": {**pin, "exits": {"ok": "compare", "no_input": "bye", "invalid": "bye"}},
            "compare": {"type": "branch", "cases": [case], "exits": {"same": "right", "default": "bye"}},
            "right": BYE,
            "bye": BYE,
        }
        file = write(tmp_path, flow(nodes, variables={"known": {"type": "string"}, "pin": {"type": "string"}}))
        told = json.loads(run("fuzz", file, "--callers", 600, "--json")[1])
        assert (told["ok"], told["never"]) == (True, {"f": []})

    def test_the_shortest_caller_calls_again(self, tmp_path: Path) -> None:
        nodes = {
            "menu": {**MENU, "exits": {"one": "second", "no_input": "bye", "invalid": "bye"}},
            "second": {**MENU, "keys": {"7": "seven"}, "exits": {"seven": "out", "no_input": "bye", "invalid": "bye"}},
            "out": CALL_ME,
            "bye": BYE,
        }
        file = write(tmp_path, flow(nodes))
        code, printed, _ = run("fuzz", file, "--json", "--callers", 200)
        told = json.loads(printed)
        (failure,) = told["failures"]
        assert (code, told["ok"]) == (1, False)
        assert (failure["kind"], failure["flow"], failure["node"]) == ("flow_error", "f", "out")
        assert failure["callers"] > 1
        assert failure["replay"] == f"callwright flow run {file} --keys 1,7"
        again = run(*shlex.split(failure["replay"])[2:])
        assert (again[0], "flow_error at f/out" in again[1]) == (1, True)
        assert f"callwright flow run {file} --keys 1,7" in click.unstyle(run("fuzz", file, "--callers", 200)[1])

    def test_a_trap_is_a_failure_and_a_caller_who_presses_for_ever_is_none(self, tmp_path: Path) -> None:
        round_and_round = {"one": "menu", "no_input": "menu", "invalid": "bye"}
        trap = flow({"menu": {**MENU, "exits": round_and_round}, "bye": BYE}, limits={"max_seconds": 60})
        code, printed, _ = run("fuzz", write(tmp_path, trap), "--json", "--callers", 300)
        failures = json.loads(printed)["failures"]
        assert code == 1
        assert (failures[0]["kind"], failures[0]["node"], failures[0]["by_caller"]) == ("time_limit", "menu", False)
        assert failures[0]["replay"].endswith("--keys ''")
        trap["nodes"]["menu"]["exits"]["no_input"] = "bye"
        code, printed, _ = run("fuzz", write(tmp_path, trap), "--json", "--callers", 300)
        failures = json.loads(printed)["failures"]
        assert code == 0
        assert [(each["kind"], each["by_caller"]) for each in failures] == [("time_limit", True)]
        again = run(*shlex.split(failures[0]["replay"])[2:])
        assert (again[0], "time_limit at f/" in again[1]) == (1, True)

    def test_a_flow_for_those_who_wait_is_ended_from_outside(self, tmp_path: Path) -> None:
        """Going round is what it is made for; that it goes round without time passing isn't."""
        music = {"type": "play", "prompts": ["a"], "exits": {"done": "music", "error": "pause"}}
        pause = {"type": "wait", "wait_ms": 1000, "exits": {"done": "music"}}
        waiting = flow({"music": music, "pause": pause}, kind="queue_wait", limits={"max_seconds": 600})
        file = write(tmp_path, waiting)
        told = json.loads(run("fuzz", file, "--json", "--callers", 30)[1])
        assert (told["ok"], told["failures"]) == (True, [])
        assert set(told["ends"]) == {"caller_gone", "time_limit"}
        assert "from outside" in run("fuzz", file, "--callers", 5)[1]

        music["exits"]["error"] = "music"
        del waiting["nodes"]["pause"]
        code, printed, _ = run("fuzz", write(tmp_path, waiting), "--json", "--callers", 200)
        (failure,) = json.loads(printed)["failures"]
        assert (code, failure["kind"], failure["node"], failure["by_caller"]) == (1, "step_limit", "music", False)
        assert failure["replay"].endswith("--keys 'play=failed,again 1'")

    @pytest.mark.parametrize("steps", [2000, 30_000])
    def test_a_long_call_is_no_fault_of_the_interpreter(self, steps: int) -> None:
        """As long as the flow's own limits allow."""
        nodes = {"music": {"type": "wait", "wait_ms": 100, "exits": {"done": "music"}}}
        limits = {"max_steps": steps, "max_seconds": 86_400}
        made = load_stored(flow(nodes, prompts={}, kind="queue_wait", limits=limits))
        player = course.Player((), {"f": made})
        called = course.call({"f": made}, made, CallData("1", "2"), player)
        assert called.outcome is not None
        assert (called.outcome.end, len(called.turns)) == ("step_limit", steps + 1)

    def test_a_node_that_never_ends_is_a_crash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def endless(*_: Any) -> Any:
            while True:
                yield instructions.SetAttributes({"a": "b"})

        monkeypatch.setattr(ReturnFlow, "run", endless)
        file = write(tmp_path, flow({"out": CALL_ME}))
        (failure,) = json.loads(run("fuzz", file, "--json", "--callers", 1)[1])["failures"]
        assert (failure["kind"], failure["node"]) == ("crash", "out")
        assert failure["message"] == "a node has given 1000 instructions and goes on"

    def test_limits_that_do_not_hold_are_a_crash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        nodes = {"again": {"type": "wait", "wait_ms": 100, "exits": {"done": "again"}}}
        made = load_stored(flow(nodes, prompts={}, limits={"max_steps": 10}))
        raised = replace(made, limits=Limits(20, 60))
        program = course.run
        monkeypatch.setattr(course, "run", lambda source, *rest: program(course.Flows({"f": raised}), *rest))
        with pytest.raises(course.InterpreterFault, match="has come to 11 nodes and goes on"):
            course.call({"f": made}, made, CallData("1", "2"), course.Player((), {"f": made}))

    def test_a_called_flow_that_fails_is_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calling = {"type": "call_flow", "flow": "sub", "exits": {"returned": "bye", "error": "bye"}}
        first = write(tmp_path, flow({"calling": calling, "bye": BYE}, prompts={}))
        sub = write(tmp_path, flow({"back": {"type": "return_flow"}}, kind="sub", id="sub", prompts={}))
        told = json.loads(run("fuzz", first, sub, "--json", "--callers", 50)[1])
        assert told["ok"]
        assert "calling.returned" not in told["never"]["f"]

        def broken(*_: Any) -> Any:
            raise KeyError("gone")
            yield

        monkeypatch.setattr(ReturnFlow, "run", broken)
        (failure,) = json.loads(run("fuzz", first, sub, "--json", "--callers", 50)[1])["failures"]
        assert (failure["kind"], failure["flow"], failure["node"]) == ("flow_error", "sub", "back")

    def test_flows_that_are_not_given_are_named(self, tmp_path: Path) -> None:
        file = write(tmp_path, library.template("opening_hours"))
        assert "calls went on in flows that are not given: main\n" in run("fuzz", file, "--callers", 50)[1]

    def test_the_same_seed_gives_the_same_callers(self, main: Path) -> None:
        first, second, other = (run("fuzz", main, "--callers", 60, "--seed", seed, "--json")[1] for seed in (3, 3, 4))
        assert first == second
        assert json.loads(first)["ends"] != json.loads(other)["ends"]

    def test_a_fault_of_the_interpreter_is_a_crash(self, main: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any) -> Any:
            raise KeyError("ours")
            yield

        monkeypatch.setattr(course, "run", broken)
        code, printed, _ = run("fuzz", main, "--callers", 10, "--json")
        (failure,) = json.loads(printed)["failures"]
        assert (code, failure["kind"], failure["message"]) == (1, "crash", "KeyError: 'ours'")

    def test_what_can_not_be_read(self, tmp_path: Path) -> None:
        assert run("fuzz", tmp_path / "none.json")[0] == 2


def test_the_replay_names_what_is_unusual_about_the_caller() -> None:
    from callwright.caller.fuzz import Caller

    data = CallData("+420222333444", "", anonymous=True, language="en", call_id="call-7")
    told = fuzzing.replay(Caller(data, parse("1,hangup")), [Path("a b.json")])
    assert told == "callwright flow run 'a b.json' --keys 1,hangup --from '' --language en --call-id call-7"
    data = CallData("+420222333444", "+420601234567", call_id="call-1", standing=QueueStanding(3, 0, 150, 400))
    told = fuzzing.replay(Caller(data, parse("hangup")), [Path("w.json")])
    assert told == "callwright flow run w.json --keys hangup --position 3 --wait 150-400"
