"""Agents and trunks: what registers at the switch, or the switch at it. Checked by the rules of `dialplan.settings`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy.orm import Session

from dialplan.faults import Fault
from dialplan.numbers import NumberKind, normalise
from dialplan.settings import Agent, EventSocket, RenderSettings, Rtp, SipListen, Trunk
from engine.domain.acd import MAX_SKILL
from engine.domain.routing import AgentEntry, TrunkEntry
from engine.services.changes import Actor, Changes
from engine.services.errors import AgentInUse, AgentNotFound, AgentRefused, TrunkInUse, TrunkNotFound, TrunkRefused
from engine.services.flows import active_users
from engine.services.queues import queues_naming
from engine.services.routing_data import RoutingData, id_faults, missing, outside_faults, range_fault, within
from engine.store.catalogue import AGENTS, NUMBERS, QUEUES, TRUNKS
from engine.store.database import Database
from engine.store.flows import FlowStore

_LONGEST_ID = 32
"""As long as the switch's names may be."""
_NO_IDS = {"states"}
_MAX_LEVEL, _MAX_POSITION = 100, 10_000
"""Of a tier."""


class Agents(RoutingData[AgentEntry]):
    """The use cases around agents."""

    name = "agent"
    catalogue = AGENTS
    not_found = AgentNotFound

    def __init__(self, database: Database, changes: Changes, country: str) -> None:
        super().__init__(database, changes)
        self._country = country

    def put(self, agent: AgentEntry, by: Actor, password: str | None = None) -> bool:
        """Writes an agent; `password` None keeps the SIP password. Whether it is new. Raises AgentRefused."""
        with self._changes.of_routing(by, "agent.put", f"agent:{agent.id}") as change:
            kept = AGENTS.secret(change.session, agent.id)
            faults = self._faults(change.session, agent, kept if password is None else password)
            if faults:
                raise AgentRefused(faults)
            change.detail["password"] = "kept" if password is None else "set"
            return AGENTS.put(change.session, agent, password)

    def check_unused(self, session: Session, key: str) -> None:
        """Raises AgentInUse."""
        users = active_users(FlowStore(self._database), "agent", key) + queues_naming(session, "agent", key)
        if users:
            raise AgentInUse(key, users)

    def _faults(self, session: Session, agent: AgentEntry, password: str) -> Sequence[Fault]:
        faults = id_faults(agent.id, _LONGEST_ID)
        if agent.id in _NO_IDS:
            faults.append(Fault("id", f'"{agent.id}" is a path of the API; choose another one'))
        for fault in within("agents[0]", _settings(agents=(Agent(agent.id, password, agent.name),)).faults()):
            faults.append(Fault("sip_password", fault.message) if fault.place == "password" else fault)
        if not agent.name:
            faults.append(Fault("name", "is empty"))
        if agent.number:
            found = normalise(agent.number, self._country)
            if found.kind is not NumberKind.EXTENSION or found.value != agent.number:
                faults.append(Fault("number", f'"{agent.number}" is not an internal number'))
            taken = [each.id for each in AGENTS.list(session) if each.number == agent.number and each.id != agent.id]
            faults += [Fault("number", f'"{agent.number}" is the number of {other} too') for other in taken]
        return faults + self._mobile_faults(agent) + _work_faults(session, agent)

    def _mobile_faults(self, agent: AgentEntry) -> list[Fault]:
        if agent.mobile:
            return outside_faults("mobile", agent.mobile, self._country)
        states = ", ".join(agent.mobile_in)
        return [Fault("mobile_in", f"no mobile is given that could ring in {states}")] if states else []


def _work_faults(session: Session, agent: AgentEntry) -> list[Fault]:
    """What is wrong with his skills and queues."""
    faults: list[Fault] = []
    for skill, level in agent.skills.items():
        faults += id_faults(skill, place=f"skills.{skill}")
        faults += range_fault(f"skills.{skill}", level, 1, MAX_SKILL)
    there = {entry.id for entry in QUEUES.list(session)} if agent.queues else set()
    for queue, tier in agent.queues.items():
        faults += missing(f"queues.{queue}", "queue", queue, there)
        faults += range_fault(f"queues.{queue}.level", tier.level, 1, _MAX_LEVEL)
        faults += range_fault(f"queues.{queue}.position", tier.position, 1, _MAX_POSITION)
    return faults


class Trunks(RoutingData[TrunkEntry]):
    """The use cases around trunks."""

    name = "trunk"
    catalogue = TRUNKS
    not_found = TrunkNotFound

    def put(self, trunk: TrunkEntry, by: Actor, password: str | None = None) -> bool:
        """Writes a trunk; `password` None keeps the one it has. Whether it is new. Raises TrunkRefused."""
        with self._changes.of_routing(by, "trunk.put", f"trunk:{trunk.id}") as change:
            kept = TRUNKS.secret(change.session, trunk.id)
            faults = _trunk_faults(trunk, kept if password is None else password)
            if faults:
                raise TrunkRefused(faults)
            change.detail["password"] = "kept" if password is None else "set"
            return TRUNKS.put(change.session, trunk, password)

    def check_unused(self, session: Session, key: str) -> None:
        """Raises TrunkInUse."""
        users = active_users(FlowStore(self._database), "trunk", key)
        users += [f"number {route.pattern}" for route in NUMBERS.list(session) if route.trunk == key]
        if users:
            raise TrunkInUse(key, users)


def _trunk_faults(trunk: TrunkEntry, password: str) -> list[Fault]:
    line = Trunk(
        name=trunk.id,
        proxy=trunk.proxy,
        username=trunk.username,
        password=password,
        register=trunk.register,
        prefix=trunk.prefix,
        networks=trunk.networks,
        ping_s=trunk.ping_s,
    )
    faults = id_faults(trunk.id, _LONGEST_ID) + within("trunks[0]", _settings(trunks=(line,)).faults())
    if trunk.max_channels is not None and trunk.max_channels < 1:
        faults.append(Fault("max_channels", f"{trunk.max_channels} is not a limit (1 and more, null for none)"))
    if trunk.caller_id and not re.fullmatch(r"[+]?[0-9]{2,15}", trunk.caller_id):
        faults.append(Fault("caller_id", f'"{trunk.caller_id}" is not a number'))
    return [fault for fault in faults if fault.place != "name"]


def _settings(agents: tuple[Agent, ...] = (), trunks: tuple[Trunk, ...] = ()) -> RenderSettings:
    """Settings of which only the agents and trunks matter: the switch's own rules for them are to be asked."""
    return RenderSettings(
        engines=(),
        event_socket=EventSocket(""),
        sip_external=SipListen("127.0.0.1", 5080),
        sip_internal=SipListen("127.0.0.1", 5060),
        rtp=Rtp("127.0.0.1"),
        domain="",
        agents=agents,
        trunks=trunks,
        recordings_dir="/",
        prompts_dir="/",
        log_dir="/",
        db_dir="/",
        run_dir="/",
        fallback_prompt="",
    )
