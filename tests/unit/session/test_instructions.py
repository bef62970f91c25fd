"""What the nodes beyond prompts and agents do on the channel: keys sent, requests, flows within flows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import gevent
import orjson
import pytest
from gevent.event import Event

from engine.domain.call import CallRecord, CallResult
from engine.domain.features import FEATURES
from engine.domain.journal import InstructionGiven, ResultCame
from engine.domain.web import RequestFailed, WebAnswer
from engine.session.executor import NOT_AVAILABLE, Executor
from engine.session.http_request import HttpRequests, at
from engine.session.log import CallLog
from engine.switch.port import ChannelGone, Digits, Interrupted, Played
from ivr_flows import codec
from ivr_flows.flow import Variable
from ivr_flows.instructions import INSTRUCTIONS, HttpRequest, Spoken
from ivr_flows.node import REGISTRY, Node
from ivr_flows.results import HttpAnswered
from ivr_flows.salvage import read_node
from tests.unit.session.bench import Bench, FakeWeb, MemoryJournal, TestClock, flow, path
from tests.unit.session.fake_switch import FakeChannel, Gone, Lost, channel_info

BYE: dict[str, Any] = {"type": "hangup", "reason": "end"}


def made(nodes: Mapping[str, Mapping[str, Any]], **more: Any) -> Any:
    """A flow of nodes as a document has them."""
    built: dict[str, tuple[Node, Mapping[str, str]]] = {}
    for name, raw in nodes.items():
        built[name] = (read_node(REGISTRY[raw["type"]], dict(raw)), raw.get("exits", {}))
    return flow(built, **more)


def asking(**fields: Any) -> dict[str, Any]:
    exits = {"ok": "bye", "refused": "refused", "timeout": "timeout", "error": "error"}
    node = {"type": "http", "url": "https://crm.example.com/customers", **fields, "exits": exits}
    return {"ask": node, "bye": BYE, **dict.fromkeys(("refused", "timeout", "error"), BYE)}


def results(bench: Bench) -> list[Any]:
    return [event.result for event in bench.events() if isinstance(event, ResultCame)]


def ran(bench: Bench, channel: FakeChannel) -> CallRecord:
    bench.run(channel)
    return bench.record()


@pytest.mark.req("R20")
def test_keys_are_sent() -> None:
    bench = Bench(made({"keys": {"type": "send_dtmf", "keys": "1w2#", "exits": {"next": "bye"}}, "bye": BYE}))
    channel = FakeChannel()
    assert path(ran(bench, channel)) == ["keys", "bye"]
    assert channel.log[0] == ("send_keys", "1w2#")


def test_keys_that_the_switch_refuses_stop_nothing() -> None:
    bench = Bench(made({"keys": {"type": "send_dtmf", "keys": "1", "exits": {"next": "bye"}}, "bye": BYE}))
    assert path(ran(bench, FakeChannel(refuses={"send_keys"}))) == ["keys", "bye"]
    assert results(bench)[0]["kind"] == "refused"


def test_waiting_is_silence_that_a_key_ends() -> None:
    node = {"type": "wait", "wait_ms": 1500, "stop_keys": "5", "exits": {"done": "bye", "key": "pressed"}}
    bench = Bench(made({"wait": node, "bye": BYE, "pressed": BYE}))
    channel = FakeChannel(script=[Interrupted("5")])
    assert path(ran(bench, channel)) == ["wait", "pressed"]
    assert channel.log[0] == ("play", "silence_stream://1500")


def test_a_request_while_the_caller_hears_the_hold_prompt() -> None:
    bench = Bench(made(asking(hold_prompts=["a"], method="POST", body={"number": "call.ani"})))
    bench.web.answers = [WebAnswer(200, b"")]
    channel = FakeChannel()
    bench.web.before = channel.when("start_playing").get
    assert path(ran(bench, channel)) == ["ask", "bye"]
    assert channel.log[:2] == [("start_playing", "/prompts/a.wav"), ("stop_playing",)]
    (asked,) = bench.web.asked
    assert json.loads(asked.body or "") == {"number": "+420601234567"}
    assert (asked.timeout_s, asked.key) == (5.0, "a-leg-0")


class SlowMedia:
    """A hold text that is spoken only now; says when it was asked for and when nobody wanted it any more."""

    def __init__(self) -> None:
        self.asked = Event()
        self.given_up = Event()

    def available(self, media: Sequence[Any]) -> list[str]:
        self.asked.set()
        try:
            Event().wait()
        finally:
            self.given_up.set()
        return []


def asking_with_hold(web: FakeWeb, media: SlowMedia, channel: FakeChannel) -> gevent.Greenlet:
    instruction = HttpRequest("GET", "https://crm.example.com", hold=(Spoken("One moment", "en"),))
    requests: Any = HttpRequests(web, cast("Any", media))
    call = CallLog("a-leg", MemoryJournal(), TestClock())
    return gevent.spawn(requests.carry_out, 0, instruction, channel, call)


def test_a_request_does_not_wait_for_its_hold_prompt() -> None:
    web, media, channel = FakeWeb([WebAnswer(200, b"")]), SlowMedia(), FakeChannel()
    web.before = media.asked.wait
    assert asking_with_hold(web, media, channel).get(timeout=5) == HttpAnswered(200, {})
    assert media.given_up.wait(5)
    assert channel.log == [("stop_playing",)]


@pytest.mark.req("R91")
def test_the_caller_hangs_up_while_the_hold_prompt_is_made() -> None:
    web, media, channel = FakeWeb(), SlowMedia(), FakeChannel()
    running = asking_with_hold(web, media, channel)
    assert media.asked.wait(5)
    channel.caller_hangs_up()
    with pytest.raises(ChannelGone):
        running.get(timeout=5)
    assert media.given_up.wait(5)
    assert web.given_up.wait(5)


def test_results_become_variables() -> None:
    nodes = asking(results={"name": "/customer/name", "points": "/customer/points"})
    nodes["ask"]["exits"]["ok"] = "which"
    case = {"when": "points > 10 and name == 'Jan'", "exit": "many"}
    nodes["which"] = {"type": "branch", "cases": [case], "exits": {"many": "bye", "default": "error"}}
    bench = Bench(made(nodes, variables={"points": Variable("number"), "name": Variable("string")}))
    bench.web.answers = [WebAnswer(200, b'{"customer": {"name": "Jan", "points": 12}}')]
    assert path(ran(bench, FakeChannel())) == ["ask", "which", "bye"]


@pytest.mark.parametrize(
    ("answer", "node"),
    [
        (RequestFailed("refused", "404 Not Found", 404), "refused"),
        (RequestFailed("timeout", "no answer"), "timeout"),
        (RequestFailed("error", "connection refused"), "error"),
        (WebAnswer(200, b"<html>"), "error"),
        (WebAnswer(200, b'{"name": NaN}'), "error"),
        (WebAnswer(200, b"[" * 200_000), "error"),
        (WebAnswer(200, b'{"name": 1' + b"0" * 5000 + b"}"), "error"),
        (WebAnswer(200, b'{"name": {"first": "Jan"}}'), "error"),
        (WebAnswer(200, b"\xff\xfe\xfd"), "error"),
        (WebAnswer(200, b'{"name": "Jan"}'), "bye"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_answer_has_an_exit(answer: Any, node: str) -> None:
    bench = Bench(made(asking(results={"name": "/name"})))
    bench.web.answers = [answer]
    assert path(ran(bench, FakeChannel())) == ["ask", node]


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        *(("12", 12), ("-7.9", -7), ("0", 0), ('" 42 "', 42), ('"-999999999999999"', -999999999999999)),
        *(
            ("999999999999999", 999999999999999),
            ("1000000000000001", None),
            ("1e300", None),
            ("-1e16", None),
            ("1e400", None),
        ),
        *(('"²"', None), ('"٣"', None), ('"+-5"', None), ('"--5"', None), ('"5.0"', None), ('""', None)),
        *(('"1000000000000000"', None), (f'"{"9" * 29}"', None), ("true", None), ("null", None)),
    ],
)
def test_a_result_that_is_no_number_is_an_error_and_never_0(sent: str, number: int | None) -> None:
    nodes = asking(results={"points": "/points"})
    nodes["ask"]["exits"]["ok"] = "which"
    case = {"when": f"points == {number or 0}", "exit": "right"}
    nodes["which"] = {"type": "branch", "cases": [case], "exits": {"right": "bye", "default": "refused"}}
    bench = Bench(made(nodes, variables={"points": Variable("number", 4711)}))
    bench.web.answers = [WebAnswer(200, f'{{"points": {sent}}}'.encode())]
    assert path(ran(bench, FakeChannel())) == (["ask", "error"] if number is None else ["ask", "which", "bye"])


def test_a_number_that_is_too_large_for_one_is_a_text() -> None:
    nodes = asking(results={"contract": "/contract"})
    nodes["ask"]["exits"]["ok"] = "which"
    case = {"when": "contract == '12345678901234567890'", "exit": "right"}
    nodes["which"] = {"type": "branch", "cases": [case], "exits": {"right": "bye", "default": "refused"}}
    bench = Bench(made(nodes, variables={"contract": Variable("string")}))
    bench.web.answers = [WebAnswer(200, b'{"contract": 12345678901234567890}')]
    assert path(ran(bench, FakeChannel())) == ["ask", "which", "bye"]


@pytest.mark.req("R91")
def test_the_caller_hangs_up_during_a_request() -> None:
    bench = Bench(made(asking()))
    channel = FakeChannel()
    running = bench.start(channel)
    bench.web.hanging.get(timeout=5)
    channel.caller_hangs_up()
    running.join(5)
    assert bench.web.given_up.wait(5)
    assert bench.record().result == CallResult.LOST_IN_IVR


@pytest.mark.req("R124")
def test_a_post_that_another_engine_repeats_has_the_same_key() -> None:
    bench = Bench(made(asking(method="POST")))
    channel = FakeChannel()
    running = bench.start(channel)
    bench.web.hanging.get(timeout=5)
    channel.connection_breaks()
    running.join(5)
    assert bench.web.given_up.wait(5)
    bench.web.answers = [WebAnswer(200, b"")]
    bench.run(FakeChannel(channel_info(variables={"cw_seen": "1"}, attempt=2)), bench.engine("e2"))
    assert [asked.key for asked in bench.web.asked] == ["a-leg-0", "a-leg-0"]
    assert path(bench.record()) == ["ask", "bye"]


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/foo/0", "bar"),
        ("/foo/00", None),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/~01", 9),
        ("/deep/er/1/x", True),
        ("/foo", None),
        ("", None),
        ("/no/such", None),
        ("/a~1b/further", None),
    ],
)
def test_json_pointers(pointer: str, expected: Any) -> None:
    """RFC 6901, section 5; what is no text, number or truth gives nothing."""
    document: dict[str, Any] = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, 'k"l': 6, " ": 7, "m~n": 8, "~1": 9}
    document["deep"] = {"er": [None, {"x": True}]}
    assert at(document, pointer) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("1" + "0" * 30, "1" + "0" * 30), ("-1e999", None), ("-1e300", "-1e+300"), ("2.5", 2.5), (r'"a\ud800"', "a?")],
)
def test_an_answer_holds_nothing_that_the_journal_could_not(sent: str, expected: Any) -> None:
    value = at(json.loads(f'{{"x": {sent}}}'), "/x")
    assert value == expected
    assert json.loads(orjson.dumps(value)) == expected


CALLS_PIN: dict[str, dict[str, Any]] = {
    "call": {
        "type": "call_flow",
        "flow": "pin",
        "arguments": {"tries": "'2'", "unknown": "1"},
        "results": {"customer": "entered"},
        "exits": {"returned": "which", "error": "failed"},
    },
    "which": {
        "type": "branch",
        "cases": [{"when": "customer == '42' and tries == 7", "exit": "right"}],
        "exits": {"right": "right", "default": "wrong"},
    },
    **dict.fromkeys(("right", "wrong", "failed"), BYE),
}
PIN: dict[str, dict[str, Any]] = {
    "ask": {
        "type": "collect",
        "prompts": ["a"],
        "variable": "entered",
        "max_digits": 2,
        "exits": {"ok": "tried", "no_input": "broken", "invalid": "back"},
    },
    "tried": {
        "type": "branch",
        "cases": [{"when": "tries == 2", "exit": "given"}],
        "exits": {"given": "back", "default": "broken"},
    },
    "back": {"type": "return_flow"},
    "broken": {"type": "goto_flow", "flow": "nowhere"},
}


def calling() -> Bench:
    main = made(CALLS_PIN, variables={"customer": Variable("string"), "tries": Variable("number", 7)})
    pin = made(
        PIN, flow_id="pin", kind="sub", variables={"entered": Variable("string"), "tries": Variable("number", 1)}
    )
    return Bench(main, pin)


@pytest.mark.req("R20")
def test_a_flow_calls_another_and_goes_on() -> None:
    record = ran(calling(), FakeChannel(script=[Digits("42")]))
    assert [(visit.flow, visit.node) for visit in record.path] == [
        *(("main", "call"), ("pin", "ask"), ("pin", "tried"), ("pin", "back")),
        *(("main", "which"), ("main", "right")),
    ]


@pytest.mark.req("R124")
def test_a_call_within_a_called_flow_is_taken_up_by_another_engine() -> None:
    bench = calling()
    bench.run(FakeChannel(script=[Lost()]))
    bench.run(FakeChannel(channel_info(variables={"cw_seen": "1"}, attempt=2), [Digits("42")]), bench.engine("e2"))
    assert path(bench.record())[-2:] == ["which", "right"]


def test_a_called_flow_that_fails_is_told_in_the_record() -> None:
    main = made(CALLS_PIN, variables={"customer": Variable("string"), "tries": Variable("number", 7)})
    pin = made({**PIN, "ask": PIN["broken"]}, flow_id="pin", kind="sub")
    record = ran(Bench(main, pin), FakeChannel())
    assert path(record) == ["call", "ask", "failed"]
    assert "NoSuchFlow: flow nowhere can't be entered" in record.attributes["flow_error"]


def test_the_caller_hangs_up_in_a_called_flow() -> None:
    record = ran(calling(), FakeChannel(script=[Gone()]))
    assert path(record) == ["call", "ask"]
    assert record.result == CallResult.LOST_IN_IVR


def test_what_was_answered_before_the_hangup_stands_in_the_record() -> None:
    questions = [{"name": name, "prompts": ["a"]} for name in ("kindness", "speed")]
    exits = {"done": "bye", "partial": "bye", "no_input": "bye"}
    bench = Bench(made({"survey": {"type": "survey", "questions": questions, "exits": exits}, "bye": BYE}))
    record = ran(bench, FakeChannel(script=[Digits("4"), Gone()]))
    assert record.attributes == {"kindness": "4"}


def test_a_split_divides_by_the_calls_id() -> None:
    arms = [{"exit": "one", "percent": 50}, {"exit": "other", "percent": 50}]
    nodes = {"split": {"type": "split", "arms": arms, "exits": {"one": "a", "other": "b"}}, "a": BYE, "b": BYE}
    seen = set()
    for number in range(20):
        bench = Bench(made(nodes))
        bench.run(FakeChannel(channel_info(f"call-{number}")))
        seen.add(path(bench.record(f"call-{number}"))[-1])
    assert seen == {"a", "b"}


UNAVAILABLE: dict[str, tuple[dict[str, Any], str]] = {
    "amd": ({}, "unsure"),
    "callback": ({"queue": "q"}, "closed"),
    "conference": ({"room": "r"}, "error"),
    "emit": ({"event": "e"}, "error"),
    "sms": ({"text": "'x'"}, "error"),
    "voicemail": ({"mailbox": "m"}, "error"),
}


def test_every_instruction_is_carried_out_or_known_not_to_be() -> None:
    executor = Executor(FakeChannel(), CallLog("a-leg", MemoryJournal(), TestClock()), Bench(made(PIN)).services.tools)
    assert set(executor.handlers) == set(INSTRUCTIONS)


def test_every_node_that_needs_something_is_looked_at() -> None:
    assert set(UNAVAILABLE) == {name for name, cls in REGISTRY.items() if cls.NEEDS and cls.NEEDS not in FEATURES}


@pytest.mark.parametrize("name", list(UNAVAILABLE))
def test_what_the_engine_does_not_have_takes_the_exit_for_it(name: str) -> None:
    """An upload with such a node is refused; a flow that comes here all the same is not left hanging."""
    fields, expected = UNAVAILABLE[name]
    node = {"type": name, **fields}
    exits = {each: "expected" if each == expected else "other" for each in read_node(REGISTRY[name], node).exits()}
    bench = Bench(made({"node": {**node, "exits": exits}, "expected": BYE, "other": BYE}))
    assert path(ran(bench, FakeChannel(script=[Played()]))) == ["node", "expected"]
    given = [event.instruction for event in bench.events() if isinstance(event, InstructionGiven)]
    assert isinstance(codec.load_instruction(given[0]), NOT_AVAILABLE)
    assert results(bench)[0]["kind"] == "refused"
