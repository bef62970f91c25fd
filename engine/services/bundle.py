"""All use cases, put together from the adapters that they need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from engine.acd.store import AcdStore
from engine.clock import SystemClock
from engine.domain.ports import Clock
from engine.services.agents_at_work import AgentsAtWork
from engine.services.announce import Announcer, NoAnnouncer
from engine.services.calendars import Calendars
from engine.services.calls import Calls
from engine.services.changes import Changes
from engine.services.contacts import Contacts
from engine.services.flows import Flows
from engine.services.health import Check, Health, database_checks
from engine.services.keys import Keys
from engine.services.lines import Agents, Trunks
from engine.services.live_queues import LiveQueues
from engine.services.notices import Notices
from engine.services.numbers import Numbers
from engine.services.prompts import PromptFiles, Prompts
from engine.services.queues import Queues
from engine.services.recordings import RecordingLinks, Recordings
from engine.services.speech import Speech
from engine.store.calls import CallStore
from engine.store.database import Database
from engine.store.flows import FlowStore
from engine.store.recordings import RecordingStore


@dataclass(frozen=True, slots=True)
class Settings:
    """What the use cases take from the configuration. `country` and `language` are those of numbers that name none."""

    country: str = "CZ"
    language: str = "cs"
    link_expiry_s: int = 300
    bootstrap_keys: Iterable[str] = field(default=(), repr=False)
    web: Mapping[str, Collection[str]] = field(default_factory=dict)
    """What the flows' node `http` may ask and send: names by `origin` and `secret`. Not given: not checked."""


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases."""

    flows: Flows
    prompts: Prompts
    calls: Calls
    recordings: Recordings
    numbers: Numbers
    agents: Agents
    agents_at_work: AgentsAtWork
    live_queues: LiveQueues
    trunks: Trunks
    calendars: Calendars
    queues: Queues
    notices: Notices
    contacts: Contacts
    keys: Keys
    health: Health
    settings: Settings

    @classmethod
    def build(
        cls,
        database: Database,
        links: RecordingLinks,
        prompts: PromptFiles,
        *,
        speech: Speech | None = None,
        announcer: Announcer | None = None,
        checks: Mapping[str, Check] | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        acd: Callable[[], AcdStore] | None = None,
    ) -> Services:
        """The use cases over one database. `checks` are those of other dependencies than the database; `acd` makes a
        store of the queues' shared state.
        """
        settings = settings or Settings()
        clock = clock or SystemClock()
        changes = Changes(database, clock, announcer or NoAnnouncer())
        calls, recordings = CallStore(database), RecordingStore(database)
        return cls(
            flows=Flows(database, changes, speech, prompts, settings.web),
            prompts=Prompts(prompts, FlowStore(database), changes),
            calls=Calls(calls, recordings),
            recordings=Recordings(calls, recordings, links, changes, settings.link_expiry_s),
            numbers=Numbers(database, changes, settings.country),
            agents=Agents(database, changes, settings.country),
            agents_at_work=AgentsAtWork(database, acd),
            live_queues=LiveQueues(database, acd),
            trunks=Trunks(database, changes),
            calendars=Calendars(database, changes),
            queues=Queues(database, changes, prompts, settings.country),
            notices=Notices(database, changes, prompts, clock),
            contacts=Contacts(database, changes, settings.country),
            keys=Keys(database, changes, settings.bootstrap_keys),
            health=Health({**database_checks(database), **(checks or {})}),
            settings=settings,
        )
