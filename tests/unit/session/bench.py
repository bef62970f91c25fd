"""An engine for tests, all in memory: the real sessions on the fake switch, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent import event

from dialplan.routes import taken_by
from engine.acd.store_memory import MemoryStore, SharedMemory
from engine.cdr.outbox import CallOutbox
from engine.cdr.record import build
from engine.domain.call import CallRecord
from engine.domain.contact import Contact
from engine.domain.journal import Entry, Event, decode, encode
from engine.domain.recording import RecordingRow
from engine.domain.routing import AgentEntry, NumberRoute, RoutingSnapshot, TrunkEntry
from engine.domain.web import RequestFailed, WebAnswer, WebRequest
from engine.session.admission import Admission
from engine.session.calendars import Calendars
from engine.session.connect import Connections
from engine.session.contacts import Contacts, ContactsUnavailable
from engine.session.conversation import Conversations, DialSettings
from engine.session.executor import Toolbox
from engine.session.http_request import HttpRequests
from engine.session.janitor import Janitor
from engine.session.limits import ChannelLimits, CountsAway, Taken
from engine.session.media import MediaPaths
from engine.session.queue_figures import QueueReader
from engine.session.queueing.desk import QueueDesk
from engine.session.queueing.inbox import Inbox
from engine.session.queueing.queueing import Queueing
from engine.session.queueing.reports import Reports
from engine.session.recorder import Recorder
from engine.session.register import Register
from engine.session.routing import FlowNotFound
from engine.session.session import Session, SessionServices
from ivr_flows.flow import Flow, Variable, Wired
from ivr_flows.instructions import PromptFile
from ivr_flows.node import Node
from tests.unit.session.fake_switch import FakeChannel, FakeControl, channel_info


class TestClock:
    """Stands still unless a test moves it."""

    __test__ = False

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.ms


class SkewedClock:
    """An engine's own clock: the shared one, and wrong by `ms`."""

    def __init__(self, clock: TestClock) -> None:
        self._clock = clock
        self.ms = 0

    def now_ms(self) -> int:
        return self._clock.now_ms() + self.ms


class CountingIds:
    def __init__(self) -> None:
        self.n = 0

    def new(self) -> str:
        self.n += 1
        return f"id-{self.n}"


@dataclass
class FakeWeb:
    """Answers requests in turn; without an answer left a request hangs."""

    answers: list[WebAnswer | RequestFailed] = field(default_factory=list)
    asked: list[WebRequest] = field(default_factory=list)
    before: Callable[[], Any] = lambda: None
    """Waits for what is to happen before an answer comes."""

    def __post_init__(self) -> None:
        self.hanging: event.AsyncResult = event.AsyncResult()
        self.given_up = event.Event()

    def fetch(self, request: WebRequest) -> WebAnswer:
        self.asked.append(request)
        self.before()
        if not self.answers:
            self.hanging.set(request)
            try:
                event.Event().wait()
            finally:
                self.given_up.set()
        answer = self.answers.pop(0)
        if isinstance(answer, RequestFailed):
            raise answer
        return answer


@dataclass
class FakeContacts:
    """Contacts in the order in which a flow is given them; `away`: why nobody can be asked; hangs when told to."""

    contacts: list[Contact] = field(default_factory=list)
    away: str = ""
    hangs: bool = False

    def __post_init__(self) -> None:
        self.hanging: event.AsyncResult = event.AsyncResult()
        self.given_up = event.Event()

    def find(self, by: str, value: str) -> tuple[int, Contact | None]:
        if self.hangs:
            self.hanging.set(value)
            try:
                event.Event().wait()
            finally:
                self.given_up.set()
        if self.away:
            raise ContactsUnavailable(self.away)
        found = [each for each in self.contacts if value in (each.numbers if by == "number" else (each.key,))]
        return len(found), found[0] if found else None


@dataclass
class FakeCounts:
    """`Counts` in memory, without a look at open calls; `away`: why nobody can tell."""

    taken: dict[str, set[str]] = field(default_factory=dict)
    away: str = ""
    asked: int = 0

    def take(self, wanted: Sequence[tuple[Taken, int]]) -> str | None:
        self._asked()
        for one, most in wanted:
            there = self.taken.setdefault(one.line, set())
            if one.by not in there and len(there) >= most:
                return one.line
            there.add(one.by)
        return None

    def keep(self, taken: Sequence[Taken]) -> None:
        self._asked()
        for one in taken:
            self.taken.setdefault(one.line, set()).add(one.by)

    def give_back(self, taken: Sequence[Taken]) -> None:
        self._asked()
        for one in taken:
            self.taken.setdefault(one.line, set()).discard(one.by)

    def _asked(self) -> None:
        self.asked += 1
        if self.away:
            raise CountsAway(self.away)


@dataclass
class MemoryJournal:
    """Keeps encoded entries, as Redis would: what can't be encoded can't be stored here either."""

    streams: dict[str, list[bytes]] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    claims: set[tuple[str, str]] = field(default_factory=set)
    """Kept for ever: a test takes out what has expired."""
    living: set[str] = field(default_factory=lambda: {"e1"})
    engine: str = "e1"

    def load(self, call_id: str) -> list[Entry]:
        return [decode(line) for line in self.streams.get(call_id, [])]

    def append(self, call_id: str, entry: Entry) -> None:
        stream = self.streams.setdefault(call_id, [])
        assert entry.n == len(stream) + 1, f"entry {entry.n} written by two"
        stream.append(encode(entry))

    def flush(self, timeout_s: float = 5.0) -> None:
        gevent.sleep(0)

    def hold(self, call_id: str) -> None:
        self.open[call_id] = self.engine

    def close(self, call_id: str) -> None:
        self.open.pop(call_id, None)

    def open_calls(self) -> Mapping[str, str]:
        return dict(self.open)

    def engine_lives(self, engine: str) -> bool:
        return engine in self.living

    def claim(self, what: str, call_id: str, for_s: int) -> bool:
        free = (what, call_id) not in self.claims
        self.claims.add((what, call_id))
        return free


def flow(
    nodes: Mapping[str, tuple[Node, Mapping[str, str]]],
    flow_id: str = "main",
    version: str = "v1",
    variables: Mapping[str, Variable] | None = None,
    kind: str = "inbound",
) -> Flow:
    """A flow of node objects; its prompts `a` … `e` are the files `a.wav` … `e.wav`."""
    return Flow(
        id=flow_id,
        version=version,
        name=flow_id,
        kind=kind,
        languages=("cs",),
        entry=next(iter(nodes)),
        nodes={name: Wired(node, exits) for name, (node, exits) in nodes.items()},
        prompts={name: {"cs": PromptFile(f"{name}.wav")} for name in "abcde"},
        variables=variables or {},
    )


class Bench:
    """`Bench(flow, …)`, then `call(channel)`; every call's record is in `records`."""

    library = Path("/library")

    def __init__(self, *flows: Flow, record: bool = False, calendars: Mapping[str, Any] | None = None) -> None:
        self.clock = TestClock()
        self.own_clock = SkewedClock(self.clock)
        """What calls in queues read of the engine's own clock."""
        self.ids = CountingIds()
        self.journal = MemoryJournal()
        self.control = FakeControl()
        self.web = FakeWeb()
        self.contacts = FakeContacts()
        self.spooled: list[tuple[str, str]] = []
        self.announced: list[RecordingRow] = []
        self.register = Register()
        self._flows = {(each.id, each.version): each for each in flows}
        self.snapshot = RoutingSnapshot(
            version=7,
            numbers=(NumberRoute("+420221111000", flows[0].id, record=record),),
            agents=(AgentEntry("alice", "Alice"),),
            trunks=(TrunkEntry("main-trunk", "127.0.0.1:5999"),),
            calendars=calendars or {},
            active_flows={each.id: each.version for each in flows},
        )
        self.newer: RoutingSnapshot | None = None
        """What the database has, should the engine ask."""
        self.acd = SharedMemory(self.clock)
        self.last_agents: dict[str, str] = {}
        """Who spoke with a number last."""
        self.counts = FakeCounts()
        self.unrecorded: tuple[str, ...] = ()
        """Numbers where nothing is recorded; read when an engine is made."""
        self.services = self.engine("e1")

    def engine(self, name: str) -> SessionServices:
        """Another engine over the same journal."""
        media = MediaPaths(Path("/prompts"), self.library)
        unrecorded = taken_by(self.unrecorded, "CZ")
        recorder = Recorder(Path("/rec"), self.ids, self.announced.append, lambda version: self.snapshot, unrecorded)
        limits = ChannelLimits(self.counts, lambda: self.newer or self.snapshot)
        conversations = Conversations(
            control=lambda switch: self.control,
            clock=self.clock,
            ids=self.ids,
            recorder=recorder,
            settings=DialSettings("agents.test", "cw_resume:XML:public", "+420221111000"),
            limits=limits,
        )
        store = MemoryStore(self.acd)
        reports = Reports(store)
        tools = Toolbox(
            journal=self.journal,
            clock=self.clock,
            ids=self.ids,
            flows=self,
            media=media,
            routing=lambda version: self.snapshot,
            newest=lambda: self.newer or self.snapshot,
            calendars=Calendars(),
            recorder=recorder,
            http=HttpRequests(self.web, media),
            contacts=Contacts(self.contacts),
            queue_figures=QueueReader(MemoryStore(self.acd)),
            limits=limits,
            conversations=conversations,
            connections=Connections(
                conversations,
                media,
                lambda version: self.snapshot,
                lambda: self.newer or self.snapshot,
                QueueDesk(store, reports),
            ),
            queueing=Queueing(
                engine=name,
                store=store,
                inbox=Inbox(store, name, gevent.sleep),
                reports=reports,
                conversations=conversations,
                recorder=recorder,
                media=media,
                flows=self,
                routing=lambda version: self.snapshot,
                newest=lambda: self.newer or self.snapshot,
                clock=self.own_clock,
                last_agent=lambda number, since_ms: self.last_agents.get(number),
                pool="main",
            ),
        )
        return SessionServices(
            engine=name,
            tools=tools,
            register=Register() if name != "e1" else self.register,
            outbox=CallOutbox(self, self.journal.close),
            admission=Admission(lambda: self.snapshot, self._refresh, self.clock, "CZ", "cs", limits),
        )

    def _refresh(self) -> None:
        self.snapshot = self.newer or self.snapshot

    def get(self, flow_id: str, version: str) -> Flow:
        if (flow_id, version) not in self._flows:
            raise FlowNotFound(flow_id, version)
        return self._flows[flow_id, version]

    def put(self, kind: str, id: str, payload: bytes) -> None:
        self.spooled.append((kind, id))

    def janitor(self, services: SessionServices) -> Janitor:
        """The janitor of that engine."""
        return Janitor(
            services.engine,
            self.journal,
            services.register,
            services.outbox,
            {"fake": self.control},
            self.clock,
            services.tools.conversations,
            (services.tools.queueing, services.tools.connections, services.tools.limits),
            "cw_again:XML:public",
        )

    def run(self, channel: FakeChannel, services: SessionServices | None = None) -> None:
        """The whole call, in this greenlet."""
        with gevent.Timeout(5):
            Session(channel, services or self.services).run()

    def start(self, channel: FakeChannel, services: SessionServices | None = None) -> gevent.Greenlet:
        """The call in a greenlet of its own."""
        return gevent.spawn(lambda: Session(channel, services or self.services).run())

    def events(self, call_id: str = "a-leg") -> list[Event]:
        return [entry.event for entry in self.journal.load(call_id)]

    def record(self, call_id: str = "a-leg") -> CallRecord:
        """The one record of the call; fails when there is none, or more than one."""
        assert [item for kind, item in self.spooled if kind == "call"].count(call_id) == 1, self.spooled
        return build(self.journal.load(call_id))


def path(record: CallRecord) -> list[str]:
    return [visit.node for visit in record.path]


def returned(channel: FakeChannel, leg: str, script: Sequence[Any] = (), attempt: int = 1) -> FakeChannel:
    """The channel as it comes back through the front door after a conversation with `leg`."""
    info = channel_info(
        channel.info.uuid,
        answered=True,
        attempt=attempt,
        last_bridge_to=leg,
        last_bridge_cause="NORMAL_CLEARING",
        variables={"cw_seen": "1"},
    )
    return FakeChannel(info, list(script))
