"""Calls that say something: what the switch plays, and the exit that is taken when there is no sound."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from gevent.event import Event

from engine.session.media import MediaPaths
from engine.switch.port import Originated, Played
from ivr_flows import speech as ahead
from ivr_flows.expressions import Expression
from ivr_flows.flow import Variable
from ivr_flows.instructions import Spoken
from ivr_flows.node import Node
from ivr_flows.nodes.agent import Agent
from ivr_flows.nodes.collect import Collect
from ivr_flows.nodes.hangup import Hangup
from ivr_flows.nodes.say import Say
from ivr_flows.nodes.tts import Tts
from ivr_flows.template import Template
from tests.unit.session.bench import Bench, flow, path
from tests.unit.session.fake_switch import FakeChannel
from tests.unit.session.test_media import FakeSpeaker


def bench_of(node: Say | Tts) -> tuple[Bench, MediaPaths]:
    bench = Bench(
        flow(
            {
                "say": (node, {"done": "heard", "error": "silent"}),
                "heard": (Hangup(reason="heard"), {}),
                "silent": (Hangup(reason="silent"), {}),
            }
        )
    )
    media = bench.services.tools.media
    media.speaker = FakeSpeaker()
    return bench, media


def text(words: str) -> Tts:
    return Tts(text={"cs": Template.parse(words)})


@pytest.mark.req("R22")
def test_a_text_is_played_as_the_speech_process_spoke_it() -> None:
    bench, media = bench_of(text("Voláte z čísla {digits(call.ani)}."))
    channel = FakeChannel(script=[Played()])
    bench.run(channel)
    assert ("play", "/speech/1.wav") in channel.log
    assert isinstance(media.speaker, FakeSpeaker)
    assert media.speaker.asked == [("Voláte z čísla 420601234567.", "cs")]
    assert path(bench.record()) == ["say", "heard"]


@pytest.mark.req("R22")
def test_a_text_that_is_not_spoken_in_time_takes_the_error_exit() -> None:
    bench, _ = bench_of(text("fail"))
    channel = FakeChannel()
    bench.run(channel)
    assert not [each for each in channel.log if each[0] == "play"]
    assert path(bench.record()) == ["say", "silent"]
    results = [event for event in bench.events() if "not spoken within 5 s" in str(event)]
    assert len(results) == 1


@pytest.mark.req("R22")
def test_a_number_is_played_in_the_pieces_of_a_voice(tmp_path: Path) -> None:
    bench, media = bench_of(Say(value=Expression.parse("21"), form="number"))
    voice = tmp_path / "say" / "cs"
    voice.mkdir(parents=True)
    (voice / "manifest.json").write_text(
        '{"schema": "callwright/voice/1", "name": "x", "language": "cs", "pieces":'
        ' {"20": {"file": "20.wav", "text": "dvacet"}, "1": {"file": "1.wav", "text": "jedna"}}}'
    )
    for piece in ("20", "1"):
        (voice / f"{piece}.wav").write_bytes(b"RIFF")
    media.library_dir = tmp_path
    channel = FakeChannel(script=[Played()])
    bench.run(channel)
    assert ("play", f"{voice}/20.wav", f"{voice}/1.wav") in channel.log


def test_what_is_not_kept_is_not_spoken_ahead() -> None:
    texts = {"cs": Template.parse("Dobrý den."), "en": Template.parse("Hello {call.caller_name}.")}
    exits = {"done": "bye", "error": "bye"}
    nodes = {"kept": Tts(text=texts), "personal": Tts(text={"cs": Template.parse("Ahoj.")}, keep=False)}
    made = flow({name: (node, exits) for name, node in nodes.items()} | {"bye": (Hangup(), {})})
    assert list(ahead.texts(made)) == [Spoken("Dobrý den.", "cs")]


@dataclass
class SlowSpeaker:
    """Never comes to an end; tells when it is asked, and when it is given up."""

    asked: Event = field(default_factory=Event)
    given_up: Event = field(default_factory=Event)

    def file(self, text: str, language: str, *, keep: bool = True) -> Path:
        self.asked.set()
        try:
            Event().wait()
        finally:
            self.given_up.set()
        raise AssertionError


@pytest.mark.req("R22", "R90")
@pytest.mark.parametrize(
    ("node", "exits"),
    [
        (text("Dobrý den."), ("done", "error")),
        (Collect(prompts=("a",), variable="x"), ("ok", "no_input", "invalid")),
        (Agent(agent="alice", announcement=("a",)), ("finished", "busy", "no_answer", "not_ready")),
    ],
    ids=["play", "collect", "announcement"],
)
@pytest.mark.parametrize("lost", [False, True], ids=["hangup", "connection"])
def test_a_hangup_while_speech_is_waited_for_is_noticed_at_once(node: Node, exits: tuple[str, ...], lost: bool) -> None:
    made = flow(
        {"say": (node, dict.fromkeys(exits, "bye")), "bye": (Hangup(reason="bye"), {})},
        variables={"x": Variable("string", None)},
    )
    bench = Bench(replace(made, prompts={"a": {"cs": Spoken("Vítejte.", "cs")}}))
    bench.control.outcomes = [Originated("answered")]
    speaker = bench.services.tools.media.speaker = SlowSpeaker()
    channel = FakeChannel()
    running = bench.start(channel)
    assert speaker.asked.wait(5)
    if lost:
        channel.connection_breaks()
    else:
        channel.caller_hangs_up()
    running.join(5)
    assert running.ready()
    assert speaker.given_up.wait(5), "nobody waits for the text any more"
    assert lost or path(bench.record()) == ["say"]
