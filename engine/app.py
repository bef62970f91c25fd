"""The engine process put together: the one place that knows every adapter."""

from __future__ import annotations

import contextlib
import gc
import logging
import resource
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import redis
from gevent.event import Event
from gevent.threadpool import ThreadPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from dialplan.contexts import AGAIN_EXTENSION, RESUME_EXTENSION
from dialplan.routes import taken_by
from dialplan.xml import TRUNK_CONTEXT
from engine.acd.store_redis import RedisStore
from engine.acd_parts import AcdParts
from engine.cdr.outbox import Applier, CallOutbox
from engine.clock import RandomIds, SystemClock
from engine.config import Config
from engine.domain.routing import RoutingSnapshot
from engine.logs import set_up_logging
from engine.lookups import Lookups
from engine.services.announce import CHANNEL
from engine.session.admission import Admission
from engine.session.calendars import Calendars
from engine.session.connect import Connections
from engine.session.contacts import Contacts
from engine.session.conversation import Conversations, DialSettings
from engine.session.executor import Toolbox
from engine.session.fallback import FallbackFile
from engine.session.http_request import HttpRequests
from engine.session.janitor import Janitor
from engine.session.journal import RedisJournal
from engine.session.limit_counts import RedisCounts
from engine.session.limits import KEEP_EVERY_S, ChannelLimits
from engine.session.media import MediaPaths
from engine.session.queue_figures import QueueReader
from engine.session.recorder import Recorder
from engine.session.register import Register
from engine.session.routing import Flows, Routing, RoutingUnavailable
from engine.session.session import Session, SessionServices
from engine.session.speech import RedisSpeaker
from engine.store.calls import CallStore
from engine.store.database import Database
from engine.store.errors import StoreError
from engine.store.flows import FlowStore
from engine.store.recordings import RecordingStore
from engine.store.routing import RoutingStore
from engine.store.spool import GATHER_S, Spool
from engine.store.spool_writer import SpoolWriter
from engine.switch import quoting
from engine.switch.adapter import SwitchChannel
from engine.switch.control import SwitchControl
from engine.switch.port import Control, SwitchError, SwitchLost
from engine.switch.server import OutboundServer
from engine.web.client import Secret, WebClient
from ivr_flows import library

log = logging.getLogger("engine")

LOOK_AFTER_S = 15.0
"""How often calls in conversation and calls that last too long are looked after."""
ROUTING_POLL_S = 2.0
"""How often the routing version is asked for besides, for announcements that were lost."""


class App:
    """One engine. `start`, then `run_until_stopped`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        state = config.engine.state_dir
        state.mkdir(parents=True, exist_ok=True)
        config.engine.recordings_dir.mkdir(parents=True, exist_ok=True)
        clock, ids, name = SystemClock(), RandomIds(), config.engine.name
        self.stopping = Event()
        self._greenlets: list[gevent.Greenlet] = []
        self._redis = _redis(config)
        self._database = Database(config.database.dsn, name=f"callwright {name}")
        self._lookups = Lookups(config.database.dsn, f"callwright {name} lookups")
        self._register = Register()
        self._disk = ThreadPool(4)
        fallback = FallbackFile(state / "journal" / "journal.ndjson", self._disk.apply)
        self._journal = RedisJournal(self._redis, name, fallback, self._let_go, self._send_again, self._served)
        spool_wake = Event()
        self._spool = Spool(state / "spool", wake_event=spool_wake, offload=self._disk.apply, gather_s=GATHER_S)
        outbox = CallOutbox(self._spool, self._journal.close)
        applier = Applier(CallStore(self._database), RecordingStore(self._database), outbox.finished)
        self._writer = SpoolWriter(self._spool, applier, spool_wake)
        flows = Flows(_Definitions(FlowStore(self._database)), state / "flows", self._disk.apply)
        self._routing = Routing(_Source(RoutingStore(self._database)), flows, state / "routing.json", self._disk.apply)
        self._controls = {
            switch.name: SwitchControl(switch.host, switch.port, switch.password.get_secret_value())
            for switch in config.switches
        }
        prompts, wait_s, on_disk = config.engine.prompts_dir, config.speech.wait_s, self._disk.apply
        speaker = RedisSpeaker(_redis(config, wait_s), prompts, ids, wait_s, on_disk)
        media = MediaPaths(prompts, library.prompts_dir(), speaker, on_disk)
        unrecorded = taken_by(config.engine.unrecorded_numbers, config.engine.default_country)
        recorder = Recorder(config.engine.recordings_dir, ids, outbox.announce, self._routing.at, unrecorded)
        self._limits = ChannelLimits(RedisCounts(self._redis), self._routing.current)
        self._conversations = Conversations(
            control=self._control,
            clock=clock,
            ids=ids,
            recorder=recorder,
            settings=DialSettings(config.dialplan.domain, f"{RESUME_EXTENSION}:XML:{TRUNK_CONTEXT}"),
            limits=self._limits,
        )
        self._acd = AcdParts(
            name,
            lambda: RedisStore(_redis(config)),
            self._routing.current,
            self._controls,
            self._journal,
            self._database,
        )
        connections = Connections(self._conversations, media, self._routing.at, self._routing.current, self._acd.desk)
        queueing = self._acd.queueing(
            self._conversations, recorder, media, flows, self._routing.at, clock, self._lookups.last_agent
        )
        tools = Toolbox(
            self._journal,
            clock,
            ids,
            flows,
            media,
            self._routing.at,
            self._routing.current,
            Calendars(),
            recorder,
            self._conversations,
            connections,
            queueing,
            HttpRequests(_web(config), media),
            Contacts(self._lookups),
            QueueReader(RedisStore(self._redis)),
            self._limits,
        )
        admission = Admission(
            self._routing.current,
            self._routing.refresh,
            clock,
            config.engine.default_country,
            config.engine.default_language,
            self._limits,
        )
        self._services = SessionServices(name, tools, self._register, outbox, admission)
        entry = f"{AGAIN_EXTENSION}:XML:{TRUNK_CONTEXT}"
        self._janitor = Janitor(
            name,
            self._journal,
            self._register,
            outbox,
            self._controls,
            clock,
            self._conversations,
            (queueing, connections, self._limits),
            entry,
        )
        self._server = OutboundServer(
            (config.engine.listen.host, config.engine.listen.port),
            self._handle,
            max_sessions=config.engine.max_sessions,
            connect_deadline_s=config.engine.connect_deadline_s,
            returning=self._register.__contains__,
        )

    def start(self) -> None:
        """Load the routing data, connect to the switches, then take calls. Raises RoutingUnavailable, OSError."""
        self._routing.load()
        for control in self._controls.values():
            control.on_channel_end(self._conversations.note_end)
            control.on_connected(self._checker(control))
            control.start()
        self._greenlets = [
            gevent.spawn(_for_ever, work)
            for work in (
                self._writer.run,
                lambda: self._routing.watch(ROUTING_POLL_S),
                self._listen_for_changes,
                self._janitor.run,
                self._look_after_calls,
                self._keep_limits,
                *self._acd.work,
            )
        ]
        self._server.start()
        log.info("engine %s takes calls at %s:%d", self.config.engine.name, *self._server.address)

    def run_until_stopped(self) -> None:
        """Take calls until SIGTERM or SIGINT, then drain and stop."""
        self.stopping.wait()
        self._drain()
        gevent.killall(self._greenlets, timeout=2)
        for control in self._controls.values():
            control.close()
        self._journal.stop()
        self._spool.flush()
        if not self._writer.drain():
            log.warning("spool: what waits stays in %s for the next start", self._spool.directory)
        self._spool.close()
        self._database.close()
        self._lookups.close()

    def _drain(self) -> None:
        """No new calls; those in conversation are let go at once (they come back to another engine), the others may
        go on for the drain's time and are then handed back to the switch.
        """
        self._server.stop_accepting()
        limit_s = self.config.engine.drain_timeout_s
        log.info("draining: %d calls, at most %g s", len(self._register), limit_s)
        deadline = time.monotonic() + limit_s
        while len(self._register) and time.monotonic() < deadline:
            for session in self._register:
                if self._conversations.holds(session.call_id):
                    session.detach("the engine drains; the conversation goes on without it")
            self._register.wait_idle(min(1.0, max(0.0, deadline - time.monotonic())))
        for session in self._register:
            session.detach("the engine stops; the call goes to the next one")
        self._server.close()

    def _handle(self, channel: SwitchChannel) -> None:
        Session(channel, self._services).run()

    def _let_go(self, call_id: str) -> None:
        session = self._register.get(call_id)
        if session is not None:
            session.detach("another engine holds the call", wait_s=0)

    def _served(self) -> list[str]:
        return [session.call_id for session in self._register if session.log.entries and not session.log.ended]

    def _send_again(self, call_id: str) -> None:
        session = self._register.get(call_id)
        if session is not None:
            session.log.send_again()

    def _look_after_calls(self) -> None:
        """Every now and then: hangups that went by unheard, and calls that last longer than any call may."""
        while not self.stopping.wait(LOOK_AFTER_S):
            for control in self._controls.values():
                if control.connected:
                    self._checker(control)()
            for session in self._register:
                if session.log.entries and session.log.elapsed_ms() > self.config.engine.max_call_seconds * 1000:
                    log.warning("call %s: longer than engine.max_call_seconds, hung up", session.call_id)
                    with contextlib.suppress(SwitchError):
                        self._control(session.channel.info.switch).kill(session.call_id, "ALLOTTED_TIMEOUT")

    def _keep_limits(self) -> None:
        while not self.stopping.wait(KEEP_EVERY_S):
            self._limits.keep(session.log for session in self._register)

    def _control(self, switch: str) -> Control:
        """The control connection of the switch; where there is but one, whatever it calls itself."""
        if len(self._controls) == 1:
            return next(iter(self._controls.values()))
        if switch not in self._controls:
            raise SwitchLost(f"switch {switch!r} is not in the configuration (switches)")
        return self._controls[switch]

    def _checker(self, control: Control) -> Callable[[], None]:
        def check() -> None:
            try:
                self._conversations.check(control)
            except SwitchError as error:
                log.info("calls in conversation not checked: %s", error)

        return check

    def _listen_for_changes(self) -> None:
        while True:
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as changes:  # type: ignore[no-untyped-call]
                    changes.subscribe(CHANNEL)
                    self._routing.changed.set()
                    while True:
                        if changes.get_message(timeout=60) is not None:
                            self._routing.changed.set()
            except redis.RedisError as error:
                log.info("routing: announcements not heard: %s", error)
                gevent.sleep(1)


def _for_ever(work: Callable[[], object]) -> None:
    """Run the work, and again after a fault: the engine must not go on without it."""
    while True:
        try:
            work()
            return
        except Exception:
            log.exception("fault in the engine's upkeep; going on")
            gevent.sleep(1)


def unusable_paths(config: Config) -> list[str]:
    """The directories of the configuration that the switch could not be told of, each with what is wrong."""
    faults = []
    for name, path, check in (
        ("engine.recordings_dir", config.engine.recordings_dir / "a.flac", quoting.recording),
        ("engine.prompts_dir", config.engine.prompts_dir / "a.wav", quoting.media),
        ("the installed prompts", library.prompts_dir() / "a.wav", quoting.media),
    ):
        try:
            check(str(path))
        except SwitchError as unsafe:
            faults.append(f"{name}: {path.parent} can't be given to the switch ({unsafe}); choose another directory")
    return faults


class _Source:
    def __init__(self, store: RoutingStore) -> None:
        self._store = store

    def version(self) -> int:
        try:
            return self._store.version()
        except StoreError as error:
            raise RoutingUnavailable(str(error)) from error

    def snapshot(self) -> RoutingSnapshot:
        try:
            return self._store.snapshot()
        except StoreError as error:
            raise RoutingUnavailable(str(error)) from error


class _Definitions:
    def __init__(self, store: FlowStore) -> None:
        self._store = store

    def definition(self, flow: str, version: str) -> Mapping[str, Any] | None:
        try:
            return self._store.definition(flow, version)
        except StoreError as error:
            raise RoutingUnavailable(str(error)) from error


def _web(config: Config) -> WebClient:
    http, found = config.http, config.http_secrets
    secrets = {each.name: Secret(each.value.get_secret_value(), frozenset(each.origins)) for each in found}
    return WebClient(http.origins, http.networks, secrets, http.ca_file)


def _redis(config: Config, longest_command_s: float = 0) -> redis.Redis:
    # Without the client's own retries, which would make the first to find Redis hung wait for 8 s.
    return redis.Redis.from_url(
        config.redis.dsn,
        socket_timeout=2 + longest_command_s,
        socket_connect_timeout=1,
        health_check_interval=15,
        max_connections=64,
        retry=Retry(NoBackoff(), 0),
    )


def run(config: Config) -> int:
    """The engine until it is told to stop; the process's exit code."""
    set_up_logging(config)
    if faults := unusable_paths(config):
        for fault in faults:
            log.critical("engine can't start: %s", fault)
        return 78
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the soft one is 1024 in most places: 1000 calls at best
    app = App(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, app.stopping.set)
    try:
        app.start()
    except (RoutingUnavailable, OSError) as error:
        log.critical("engine can't start: %s", error)
        return 1
    _spare_the_collector()
    app.run_until_stopped()
    return 0


def _spare_the_collector() -> None:
    """What is loaded by now stays: looking through it again and again would cost every call a twentieth of its CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 20, 20)
