"""A lab switch in virtual time, with a dialplan of its own and engines that are Controllers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from lxml import etree

from labswitch import api
from labswitch.channel import Channel
from labswitch.config import Config
from labswitch.controller import Controller, Frame
from labswitch.esl import ControlServer
from labswitch.switch import Streams, Switch
from labswitch.virtual import Behaviour, VirtualLegMaker, VirtualParty, local_pair, virtual_run

DIALPLAN = """<context name="public">
  <extension name="back"><condition field="destination_number" expression="^back$">
    <action application="set" data="cw_attempt=1"/>
    <action application="socket" data="engine:1 async full"/>
    <action application="hangup" data="CALL_REJECTED"/>
  </condition></extension>
  <extension name="call"><condition field="destination_number" expression="^100$">
    <action application="socket" data="engine:1 async full"/>
    <action application="set" data="after=socket"/>
    <action application="socket" data="second:2 async full"/>
    <action application="hangup" data="USER_BUSY"/>
  </condition></extension>
</context>"""


class Stage:
    """What a test plays on."""

    def __init__(
        self,
        dialplan: str = DIALPLAN,
        parties: Mapping[str, Behaviour] | None = None,
        sounds: Path = Path("/nonexistent"),
    ) -> None:
        api.load()
        self.engines: asyncio.Queue[Controller] = asyncio.Queue()
        self.refuse: set[str] = set()
        """Hosts that refuse connections."""
        self.legs = VirtualLegMaker(parties)
        contexts = {c.get("name"): c for c in etree.fromstring(f"<all>{dialplan}</all>").iter("context")}
        variables = {"sounds_dir": str(sounds)}
        config = Config(directory=sounds, contexts=contexts, variables=variables, sessions_per_second=1000)
        self.switch = Switch(config, self.legs, self._connect)
        self.switch.expand_api = lambda name, arguments: api.run_now(self.switch, name, arguments)
        self._tasks: list[asyncio.Task[None]] = []
        self._controllers: list[Controller] = []

    async def _connect(self, host: str, port: int) -> Streams:
        if host in self.refuse:
            raise ConnectionRefusedError(host)
        here, there = await local_pair()
        self._controllers.append(Controller(there))
        self.engines.put_nowait(self._controllers[-1])
        return here

    async def control(self, events: str = "ALL") -> Controller:
        """A control connection, logged in and subscribed."""
        here, there = await local_pair()
        self._tasks.append(asyncio.get_running_loop().create_task(ControlServer(self.switch).serve(*here)))
        control = Controller(there)
        self._controllers.append(control)
        await control.ask("auth ClueCon")
        await control.ask(f"event plain {events}")
        return control

    async def call(self, *script: tuple[object, ...], to: str = "100") -> tuple[VirtualParty, Channel, Controller]:
        """An incoming call that an engine controls, answered."""
        caller, channel = self.ring(*script, to=to)
        engine = await self.take(channel.uuid)
        engine.execute("answer", event_uuid="answered")
        await engine.completed("answered")
        return caller, channel, engine

    def ring(self, *script: tuple[object, ...], to: str = "100") -> tuple[VirtualParty, Channel]:
        """An incoming call."""
        caller = VirtualParty(script)
        uuid = caller.call(self.switch, "+420601234567", to)
        assert uuid is not None
        return caller, self.switch.channels[uuid]

    async def take(self, uuid: str) -> Controller:
        """The next engine's connection, connected and subscribed to its call."""
        engine = await asyncio.wait_for(self.engines.get(), 30)
        connected = await engine.ask("connect")
        assert connected.value("Unique-ID") == uuid
        await engine.ask("linger 1")
        await engine.ask("event plain ALL")
        await engine.ask(f"filter Unique-ID {uuid}")
        return engine

    async def agent(self, control: Controller, uuid: str = "agent", name: str = "agent") -> Channel:
        """An agent, called and parked."""
        block = f"bgapi originate {{origination_uuid={uuid}}}sofia/internal/{name}@127.0.0.1 &park()"
        await control.ask(f"{block}\nJob-UUID: {uuid}")
        job = await control.event("BACKGROUND_JOB", Job_UUID=uuid)
        assert job.body == f"+OK {uuid}\n"
        return self.switch.channels[uuid]

    async def over(self, watcher: Controller, uuid: str) -> Frame:
        """The end of a call."""
        return await watcher.event("CHANNEL_HANGUP_COMPLETE", Unique_ID=uuid)

    async def close(self) -> None:
        """End everything."""
        for controller in self._controllers:
            await controller.close()
        await self.switch.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def talks(*steps: tuple[object, ...]) -> Behaviour:
    """A called party that answers at once, then follows these steps."""
    return lambda: VirtualParty((("after_ms", 5), ("ring",), ("after_ms", 20), ("answer",), *steps))


def run(test: Callable[[Stage], Awaitable[None]], **options: object) -> None:
    """Play a test in virtual time."""

    async def main() -> None:
        stage = Stage(**options)
        try:
            await test(stage)
        finally:
            await stage.close()

    virtual_run(main())


def executed(watcher: Controller, name: str = "CHANNEL_EXECUTE") -> list[str]:
    """The applications in such events, in order."""
    return [frame.value("Application") for frame in watcher.frames if frame.name == name]
