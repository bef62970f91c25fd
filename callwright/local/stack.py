"""The whole system on this machine, brought up in order and taken down again: for `callwright up`, demo and tests.

    with Stack(switch="lab", engines=2) as stack:
        call(stack.sip_external, "+420221234567")
        stack.kill_engine(0)

What the given configuration names (a database, a Redis, an S3, switches) is used as it is; the rest is started here.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from pydantic import SecretStr

from callwright.local import DEFAULT_STATE, children, freeswitch, ports, postgres, s3, valkey
from callwright.local.plan import Account, Plan
from callwright.local.process import Process, ProcessFailed
from callwright.local.service import Home, Service
from callwright.local.supervisor import Supervisor
from engine.config import Address, Config

SwitchKind = Literal["lab", "freeswitch"]
Progress = Callable[[str, float | None], None]
"""Called with a step's name and None when it begins, with its seconds when it is done."""


class Stack:
    """The running system. `durable=False` is for tests: data need not survive a power failure.

    `usual_ports` takes the configured ports (5060, 8080 …) where they are free, for people who type them.
    Raises WheelMissing, StateInUse, ProcessFailed, FreeSwitchMissing, dialplan's SettingsError.
    """

    def __init__(
        self,
        *,
        switch: SwitchKind = "lab",
        state_dir: Path = DEFAULT_STATE,
        engines: int = 1,
        config: Config | None = None,
        durable: bool = False,
        usual_ports: bool = False,
        agents: tuple[str, ...] = ("alice", "bob"),
        engine_env: Mapping[str, str] | None = None,
        progress: Progress = lambda step, seconds: None,
    ) -> None:
        self.kind = switch
        self.state_dir = state_dir.absolute()
        self.log_dir = self.state_dir / "logs"
        self.given = config or Config()
        self.durable = durable
        self._progress = progress
        self._engine_env = dict(engine_env or {})
        self._names = (engines, agents, usual_ports)
        self._supervisor = Supervisor()
        self._services: dict[str, Service] = {}
        self._home: Home | None = None
        self._planned = False
        self.engines: list[Process] = []
        self.switch: Process | None = None
        self.timings: dict[str, float] = {}

    # -- what is where ------------------------------------------------------------------------------------------

    config: Config
    """What the processes run with."""
    config_file: Path
    plan: Plan

    @property
    def api_url(self) -> str:
        """The admin API."""
        return f"http://{self.config.api.listen}"

    @property
    def api_key(self) -> str:
        """A key with every right."""
        return self.config.api.keys[0].get_secret_value()

    @property
    def database_url(self) -> str:
        """PostgreSQL, password included."""
        return self.config.database.dsn

    @property
    def redis_url(self) -> str:
        """Redis, password included."""
        return self.config.redis.dsn

    @property
    def sip_external(self) -> Address:
        """Where callers call in, as over a trunk."""
        return self.config.dialplan.sip_external

    @property
    def sip_internal(self) -> Address:
        """Where agents' phones register."""
        return self.config.dialplan.sip_internal

    @property
    def agents(self) -> tuple[Account, ...]:
        """The agents' phones."""
        return self.plan.agents

    @property
    def operator(self) -> Address:
        """Where calls over the trunk go out to: whoever plays the operator listens here."""
        return self.plan.operator

    # -- up and down --------------------------------------------------------------------------------------------

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bring everything up; when something fails, take down what was started."""
        self._home = Home(self.state_dir)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Hang up the calls, so that their records are complete, and take everything down."""
        if self.switch is not None and not self.switch.stopping:
            freeswitch.hang_up_all(self.plan.settings)
        self._supervisor.stop()
        self._services.clear()
        if self._planned:
            self.plan.media.release()
            self._planned = False
        if self._home is not None:
            self._home.close()
            self._home = None

    def check(self) -> None:
        """Raise ProcessDied when a process ended that nobody stopped."""
        self._supervisor.check()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until a process dies and raise ProcessDied; return when the time is over."""
        self._supervisor.wait(timeout_s)

    def _start(self) -> None:
        assert self._home is not None
        count, agents, usual = self._names
        with self._step("configuration"):
            self.plan = Plan.make(self._home, self.given, engines=count, agents=agents, usual_ports=usual)
            self._planned = True
            self.plan.render()
        with self._step("services"):  # all at once: what takes longest is ready when it is asked for
            self._launch_services()
            if not self.given.switches:
                self._launch_switch()
        with self._step("PostgreSQL"):
            self._await("postgres")
        with self._step("database schema"):
            self._migrate()
        with self._step("Valkey"):
            self._await("valkey")
        with self._step("switch"):
            self._await_switch()
        with self._step("object storage"):
            self._await("s3")
        self.config = self._complete()
        self.config_file = self.state_dir / "run" / "callwright.toml"
        children.write(self.config, self.config_file)
        with self._step("API, engines, recordings, speech"):
            api = self._launch("api")
            self.engines = [self._launch_engine(index) for index in range(count)]
            self._launch("recordings")
            speech = self._launch("speech")
            api.wait_ready(lambda: children.api_ready(self.config.api.listen))
            for index in range(count):
                self._await_engine(index)
            speech.wait_ready(lambda: children.speech_ready(self.redis_url))
        self.check()

    def _launch_services(self) -> None:
        given = self.given
        wanted = {"s3": given.s3.endpoint_url, "postgres": given.database.url, "valkey": given.redis.url}
        for name, configured in wanted.items():
            if configured is None:
                self._launch_service(name)

    def _launch_service(self, name: str) -> None:
        module = {"s3": s3, "postgres": postgres, "valkey": valkey}[name]
        options = {"bucket": self.given.s3.bucket} if module is s3 else {}
        service = module.launch(self.state_dir, durable=self.durable, **options)
        self._services[name] = service
        self._supervisor.keep(service.process, service.stop)

    def _await(self, name: str) -> None:
        if name in self._services:
            service = self._services[name]
            service.process.wait_ready(service.ready)

    def _migrate(self) -> None:
        from engine.store import migrate

        migrate.upgrade(self._services["postgres"].url if "postgres" in self._services else self.given.database.dsn)

    def _complete(self) -> Config:
        """The plan's configuration with the addresses of what was started."""
        database, redis, storage = self.plan.config.database, self.plan.config.redis, self.plan.config.s3
        if "postgres" in self._services:
            database = database.model_copy(update={"url": SecretStr(self._services["postgres"].url)})
        if "valkey" in self._services:
            redis = redis.model_copy(update={"url": SecretStr(self._services["valkey"].url)})
        if isinstance(own := self._services.get("s3"), s3.ObjectStorage):
            keys = {"access_key": SecretStr(own.access_key), "secret_key": SecretStr(own.secret_key)}
            storage = storage.model_copy(update={"endpoint_url": SecretStr(own.url), "region": own.region, **keys})
        update: dict[str, Any] = {"database": database, "redis": redis, "s3": storage}
        if self.switch is not None:
            update["switches"] = (self.plan.switch(),)
        return self.plan.config.model_copy(update=update)

    # -- the parts that tests break -----------------------------------------------------------------------------

    def engine_index(self, name: str) -> int | None:
        """Which engine the process of this name is, None when it is none."""
        return next((index for index, process in enumerate(self.engines) if process.name == name), None)

    def kill_engine(self, index: int) -> None:
        """SIGKILL for an engine, as a machine that loses its power."""
        self._supervisor.drop(self.engines[index])
        self.engines[index].kill()

    def stop_engine(self, index: int) -> None:
        """SIGTERM for an engine: it drains, and this returns when it has ended."""
        self._supervisor.drop(self.engines[index])
        self.engines[index].stop()

    def start_engine(self, index: int) -> None:
        """Start an engine again under its name and on its port."""
        self._supervisor.drop(self.engines[index])
        self.engines[index] = self._launch_engine(index)
        self._await_engine(index)

    def stop_service(self, name: str) -> None:
        """Stop PostgreSQL (`postgres`), Valkey (`valkey`) or the object storage (`s3`), where it is ours."""
        service = self._services[name]
        self._supervisor.drop(service.process)
        service.stop()

    def start_service(self, name: str) -> None:
        """Start a service again on its port, with its data; ready when this returns."""
        before = self._services[name]
        self._supervisor.drop(before.process)
        self._launch_service(name)
        self._await(name)
        if self._services[name].url != before.url:
            raise ProcessFailed(name, "did not get its port again", "")

    def suspend_service(self, name: str) -> None:
        """Make a service hang: it takes connections and says nothing."""
        self._services[name].process.popen.send_signal(signal.SIGSTOP)

    def resume_service(self, name: str) -> None:
        """The end of `suspend_service`; nothing where it does not hang."""
        self._services[name].process.popen.send_signal(signal.SIGCONT)

    def service_runs(self, name: str) -> bool:
        """Whether a service runs, or hangs."""
        return self._services[name].process.running()

    def kill_switch(self) -> None:
        """SIGKILL for the switch."""
        assert self.switch is not None, "the switch is not ours"
        self._supervisor.drop(self.switch)
        self.switch.kill()

    def restart_switch(self) -> None:
        """Stop the switch if it runs, and start it again on the same ports."""
        assert self.switch is not None, "the switch is not ours"
        self._supervisor.drop(self.switch)
        self.switch.stop()
        self._launch_switch()
        self._await_switch()

    def _launch_switch(self) -> None:
        launch = freeswitch.launch_lab if self.kind == "lab" else freeswitch.launch_freeswitch
        self.switch = launch(self.plan.settings, self.plan.conf_dir, self.log_dir)
        self._supervisor.keep(self.switch)

    def _await_switch(self) -> None:
        if self.switch is not None:
            self.switch.wait_ready(lambda: freeswitch.is_up(self.plan.settings), timeout_s=60)

    def _launch_engine(self, index: int) -> Process:
        own = {
            "CALLWRIGHT_ENGINE__NAME": f"engine-{index + 1}",
            "CALLWRIGHT_ENGINE__LISTEN": str(self.plan.engines[index]),
            "CALLWRIGHT_ENGINE__STATE_DIR": str(self.state_dir / f"engine-{index + 1}"),
        }
        return self._launch("engine", number=index + 1, env=own | self._engine_env)

    def _await_engine(self, index: int) -> None:
        self.engines[index].wait_ready(lambda: ports.listening(self.plan.engines[index].port))

    def _launch(self, name: str, number: int | None = None, env: Mapping[str, str] | None = None) -> Process:
        assert self._home is not None
        process = children.launch(
            name, self.config_file, self.log_dir, number=number, env=env, inherit=[self._home.lock]
        )
        self._supervisor.keep(process)
        return process

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._progress(name, None)
        began = time.monotonic()
        yield
        self.timings[name] = time.monotonic() - began
        self._progress(name, self.timings[name])
