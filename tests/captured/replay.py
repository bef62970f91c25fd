"""Plays the engine's side of a captured conversation to the lab switch, in virtual time and without a network.

The lab switch gets a dialplan, a caller and agents that behave as those in the capture did, and the identities that
the captured channels had, so that what the engine said then can be said again word for word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from lxml import etree

from labswitch import api
from labswitch.config import Config, Profile
from labswitch.controller import Controller
from labswitch.esl import ControlServer
from labswitch.switch import Streams, Switch
from labswitch.virtual import Behaviour, VirtualLegMaker, VirtualParty, local_pair
from tests.captured.conversation import Turn

SRV = "/srv"
"""Where the captures' files were."""

_PAUSE_S = 0.1
"""A longer pause before an engine's turn is kept; shorter ones were only its own speed."""

_DIALPLAN = """<context name="public">
  <extension name="resume"><condition field="destination_number" expression="^resume$">
    <action application="set" data="cw_attempt=1"/>
    <action application="socket" data="127.0.0.1:9001 async full"/>
  </condition></extension>
  <extension name="call"><condition field="destination_number" expression="^(100)$">
    <action application="socket" data="127.0.0.1:9001 async full"/>
    <action application="log" data="INFO after the socket"/>
  </condition></extension>
</context>"""


class CapturedSwitch(Switch):
    """A lab switch whose next channels get identities that are given."""

    identities: list[str]

    def new_uuid(self) -> str:
        """The next one given, then fresh ones."""
        return self.identities.pop(0) if getattr(self, "identities", None) else super().new_uuid()


@dataclass
class Stage:
    """A lab switch, who plays on it, and what the controllers on it have seen."""

    switch: CapturedSwitch
    files: Path
    legs: VirtualLegMaker
    sockets: asyncio.Queue[Controller] = field(default_factory=asyncio.Queue)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def call(
        self, uuid: str, script: Iterable[tuple[object, ...]] = (), to: str = "100", **details: object
    ) -> VirtualParty:
        """The captured caller calls."""
        self.switch.identities = [uuid]
        caller = VirtualParty(script)
        given = {"from_display": "Jan Novak", "profile": "internal", "call_id": "1-10190@127.0.0.1", **details}
        caller.call(self.switch, "+420601234567", to, **given)
        return caller

    async def control(self) -> Controller:
        """A control connection, not logged in yet."""
        here, there = await local_pair()
        server = ControlServer(self.switch)
        self.tasks.append(asyncio.get_running_loop().create_task(server.serve(*here)))
        return Controller(there)

    async def close(self) -> None:
        """End everything."""
        await self.switch.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def prepare(files: Path, parties: Mapping[str, Behaviour] | None = None) -> Stage:
    """A stage with the captures' prompts in `files`."""
    api.load()
    (files / "prompts").mkdir()
    for name, seconds in (("prompt", 1), ("long", 6)):
        soundfile.write(files / "prompts" / f"{name}.wav", np.zeros(8000 * seconds, np.int16), 8000)
    legs = VirtualLegMaker(parties)
    config = Config(
        directory=files,
        contexts={"public": etree.fromstring(_DIALPLAN)},
        profiles={"internal": Profile("internal", sip_port=5080)},
        sessions_per_second=1000,
    )
    stage: Stage

    async def connect(host: str, port: int) -> Streams:
        here, there = await local_pair()
        stage.sockets.put_nowait(Controller(there))
        return here

    stage = Stage(CapturedSwitch(config, legs, connect), files, legs)
    return stage


async def play_engine(stage: Stage, controller: Controller, turns: list[Turn], until_s: float = 1e9) -> None:
    """Say what the engine said, each turn after the replies, completions and jobs that it had waited for, and not
    before its time. A turn in parentheses is the engine closing its side."""
    loop = asyncio.get_running_loop()
    started = loop.time() - turns[0].at_s
    waiting, before = _Waiting(), turns[0].at_s
    for turn in turns:
        if turn.at_s > until_s:
            break
        if turn.side == "switch":
            if waiting.note(turn):
                before = turn.at_s
            continue
        await waiting.done(controller)
        if turn.at_s - before > _PAUSE_S:
            await asyncio.sleep(max(0.0, started + turn.at_s - loop.time()))
        text = turn.head.decode().split("\n### ")[0]
        if text.startswith("("):
            await controller.close()
            return
        waiting.mine |= {turn.value("Event-UUID"), turn.value("Job-UUID")}
        controller.send(text.replace(SRV, str(stage.files)))
        before = turn.at_s
    await waiting.done(controller)


class _Waiting:
    """What the engine had received before it spoke again."""

    def __init__(self) -> None:
        self.mine: set[str] = set()
        self._replies = 0
        self._awaited: list[tuple[str, str]] = []

    def note(self, turn: Turn) -> bool:
        """Count a frame of the capture; True for one that the engine waits for."""
        if turn.value("Content-Type") in ANSWERS:
            self._replies += 1
            return True
        for event, header in (("CHANNEL_EXECUTE_COMPLETE", "Application-UUID"), ("BACKGROUND_JOB", "Job-UUID")):
            if turn.value("Event-Name") == event and turn.value(header) in self.mine:
                self._awaited.append((event, turn.value(header)))
                return True
        return False

    async def done(self, controller: Controller) -> None:
        """Wait until all of it has come from the lab switch, too."""
        if self._replies:
            await controller.wait_for(lambda frame: frame.kind in ANSWERS, count=self._replies)
        for event, uuid in self._awaited:
            header = "Job_UUID" if event == "BACKGROUND_JOB" else "Application_UUID"
            await controller.event(event, **{header: uuid})


ANSWERS = frozenset({"command/reply", "api/response"})
