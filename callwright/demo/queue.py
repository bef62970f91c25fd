"""The demo's queue: what is set up for it, and what its two agents and its callers do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callwright.client import Client, path
from callwright.demo.calls import CALLER_TONE_HZ, STEP_S, Line, Say
from callwright.demo.listening import Heard, Sound, wait_heard
from callwright.local.provision import provision
from engine.session.media import MediaPaths
from ivr_flows import library, say
from ivr_flows.instructions import Media, PromptFile
from labswitch.phone import Behaviour, Phone
from labswitch.phone_call import PhoneCall, PhoneTimeout

NUMBER = "+420221234568"
QUEUE = "support"
BOB, CAROLINE = "bob", "caroline"
TONE_HZ = {BOB: 550.0, CAROLINE: 850.0}
EARLY = 6
"""Callers before the three: nothing is told of an expected wait before five were taken from the line lately."""
EARLY_TALK_S = 0.4
LAST_TALK_S = 1.5
MUSIC = PromptFile("general/music.wav")
LANGUAGE = "en"

SETTINGS: dict[str, Any] = {
    "name": "Support",
    "music": MUSIC.path,
    "announcements": {"first_after_s": 2, "position_every_s": 10, "expected_wait_every_s": 10},
}


def flow() -> dict[str, Any]:
    """Answers, waits in the queue; whoever it does not keep is told that nobody has time."""
    ways_out = ("timeout", "no_agents", "full", "closed")
    return {
        "schema": "callwright/flow/1",
        "id": QUEUE,
        "name": "Support",
        "kind": "inbound",
        "languages": [LANGUAGE],
        "entry": "answer",
        "prompts": {"sorry": {LANGUAGE: f"general/{LANGUAGE}/nobody-available.wav"}},
        "nodes": {
            "answer": {"type": "answer", "exits": {"next": "queue"}},
            "queue": {
                "type": "queue",
                "queue": QUEUE,
                "exits": {"finished": "bye", **dict.fromkeys(ways_out, "sorry")},
            },
            "sorry": {"type": "play", "prompts": ["sorry"], "exits": {"done": "bye", "error": "bye"}},
            "bye": {"type": "hangup"},
        },
    }


def set_up(client: Client) -> None:
    """The queue, its two agents in it, and the number that leads there. Raises ApiError, PhoneTimeout."""
    client.put(path("queues", QUEUE), SETTINGS)
    for name in TONE_HZ:
        client.put(path("agents", name), client.get(path("agents", name)) | {"queues": {QUEUE: {}}})
    provision(client, (), NUMBER, flow=flow(), language=LANGUAGE)
    _until("the agents are in the queue", lambda: _assigned(client) == set(TONE_HZ))


def _assigned(client: Client) -> set[str]:
    return {each["id"] for each in client.get("/agents/states")["agents"] if QUEUE in each["assigned"]}


def _waiting(client: Client) -> int:
    """How many wait, as far as the engine knows that decides for the queue."""
    figures = client.get(path("queues", QUEUE, "figures"))
    return int(figures["waiting"]) if figures["is_led"] else 0


@dataclass(slots=True)
class Queue:
    """Its people. `runs` is their hour; `heard` is what the caller heard who had to wait."""

    line: Line
    client: Client
    bob: Phone
    caroline: Phone
    early: Sequence[Phone]
    callers: Sequence[Phone]
    prompts_dir: Path
    say: Say
    heard: list[Heard] = field(default_factory=list)

    def runs(self) -> None:
        """Raises PhoneTimeout, CallOver, ApiError."""
        self._early_callers()
        bobs = self._talks(self.callers[0], 4, self.bob)
        self._does(CAROLINE, "log-in")
        self.say("caroline logs in to the queue")
        carolines = self._talks(self.callers[1], 5, self.caroline)
        self._waits_and_talks(bobs)
        carolines.hangup()

    def _early_callers(self) -> None:
        """Six callers wait until bob is back, and are served one by one: from now on the queue knows its pace."""
        self.bob.behaviour = Behaviour.answering(0.1, tone_hz=TONE_HZ[BOB], hangup_after_s=EARLY_TALK_S)
        self._does(BOB, "log-in")
        self._does(BOB, "break", reason="coffee", kind="private")
        calls = [_call(self.line, phone) for phone in self.early]
        _until(f"{EARLY} wait", lambda: _waiting(self.client) == EARLY)
        self.say(f"{EARLY} callers wait in the queue while bob is on his break")
        self._does(BOB, "ready")
        for call in calls:
            self.bob.wait_call(STEP_S).wait_ended(STEP_S)
            call.wait_ended(STEP_S)
        self.say(f"bob has answered {EARLY} callers: the queue knows how fast it moves")

    def _talks(self, caller: Phone, number: int, agent: Phone) -> PhoneCall:
        """A caller for whom an agent is ready; the agent's side of the conversation, which goes on."""
        agent.behaviour = Behaviour.answering(0.2, tone_hz=TONE_HZ[agent.user])
        call = _call(self.line, caller)
        theirs = agent.wait_call(STEP_S)
        call.talk(CALLER_TONE_HZ)
        call.wait_heard_tone(TONE_HZ[agent.user], STEP_S)
        self.say(f"caller {number} is answered by {agent.user} at once")
        return theirs

    def _waits_and_talks(self, bobs: PhoneCall) -> None:
        """Both agents are busy. He waits, hears music, where he stands and how long it will take; then bob is free."""
        call = _call(self.line, self.callers[2])
        call.talk(CALLER_TONE_HZ)
        self.say("caller 6 waits: both agents are busy")
        for sound in announcements(self.prompts_dir):
            since_s = self.heard[-1].at_s if self.heard else 0.0
            self.heard.append(wait_heard(call, sound, since_s, STEP_S))
            self.say(f"caller 6 hears {sound.name}")
        self.bob.behaviour = Behaviour.answering(0.2, tone_hz=TONE_HZ[BOB], hangup_after_s=LAST_TALK_S)
        call.skip_heard()
        bobs.hangup()
        theirs = self.bob.wait_call(STEP_S)
        self.heard.append(Heard(BOB, round(call.wait_heard_tone(TONE_HZ[BOB], STEP_S), 2)))
        theirs.wait_heard_tone(CALLER_TONE_HZ, STEP_S)
        self.say("bob has hung up with caller 4; caller 6 hears bob, bob hears caller 6")
        call.wait_ended(STEP_S)

    def _does(self, agent: str, what: str, **body: str) -> None:
        self.client.post(path("agents", agent, what), body)


def announcements(prompts_dir: Path) -> list[Sound]:
    """What the caller who waits is to hear, in this order."""
    media = MediaPaths(prompts_dir, library.prompts_dir())

    def sound(name: str, *what: Media) -> Sound:
        return Sound.of(name, media.sources(what))

    place, wait = say.position(1, LANGUAGE), say.wait(0, say.MINUTE_S - 1, LANGUAGE)
    return [
        sound("music", MUSIC),
        sound(f"“{place.text}”", place),
        sound(f"“{wait.text}”", wait),
        sound("music", MUSIC),
    ]


def _call(line: Line, phone: Phone) -> PhoneCall:
    call = phone.call(NUMBER, to=(line.host, line.port))
    call.wait_answered(STEP_S)
    return call


def _until(what: str, true: Callable[[], bool]) -> None:
    """Wait for something that nobody announces. Raises PhoneTimeout."""
    deadline = time.monotonic() + STEP_S
    pause = threading.Event()
    while not true():
        if time.monotonic() > deadline:
            raise PhoneTimeout(f"not within {STEP_S:g} s: {what}")
        pause.wait(0.05)
