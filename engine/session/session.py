"""One call: drives its flow program, executes instructions, writes the journal, and cleans up in one place.

A connection of a call that is known already (the call came back from a conversation, or another engine died) is not a
special case: the program is run again over the journal, and stands where the call stood.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, cast

import gevent
from gevent.event import Event

from dialplan.contexts import SEEN_VARIABLE
from engine.cdr.outbox import CallOutbox
from engine.domain.call import CallFacts
from engine.domain.journal import Attached, Ended, Entry, InstructionGiven, ResultCame, Started
from engine.session.admission import Admission
from engine.session.conversation import note_bridge
from engine.session.executor import Detached, Executor, Toolbox
from engine.session.facts import call_data
from engine.session.journal import JournalUnavailable
from engine.session.limits import FULL_CAUSE, NUMBER_FULL, TRUNK_FULL
from engine.session.log import CallLog
from engine.session.register import Register
from engine.switch.port import Channel, ChannelEnd, ChannelGone, ChannelInfo, SwitchLost
from ivr_flows import codec
from ivr_flows.instructions import Answer, Connect, Hangup, NumberTarget, SetAttributes, Step
from ivr_flows.program import Program
from ivr_flows.program import run as run_flow
from ivr_flows.results import CallerGone, Conversation, Done, Refused, Reply, Result

log = logging.getLogger(__name__)

FALLBACK_RING_S = 60
"""How long the line rings that takes the calls of a number that is full: as long as operators let ring."""


@dataclass(slots=True)
class SessionServices:
    """What all sessions of an engine share."""

    engine: str
    tools: Toolbox
    register: Register
    outbox: CallOutbox
    admission: Admission
    draining: Event = field(default_factory=Event)


class Session:
    """One call on this engine, from its connection to its end or to its hand-over."""

    def __init__(self, channel: Channel, services: SessionServices) -> None:
        self.channel = channel
        self.call_id = channel.info.uuid
        self._services = services
        self._tools = services.tools
        self._greenlet = gevent.getcurrent()
        self._left = Event()
        self._letting_go = False
        self._step = 0
        self.log = CallLog(self.call_id, self._tools.journal, self._tools.clock)
        self._program: Program | None = None
        self._entries: list[Entry] | None = None
        """The call's entries as this engine's session before had them, when the call came back to the same engine."""

    def run(self) -> None:
        """The whole call. Never raises; whatever happens, the channel is let go and the register is right."""
        before = self._services.register.get(self.call_id)
        if before is not None:
            before.detach("the call came back on a new connection")
            self._entries = before.log.entries
        self._services.register.enter(self)
        try:
            self._run()
        except Detached as detached:
            log.info("call %s: let go: %s", self.call_id, detached)
        except SwitchLost:
            log.warning("call %s: connection to the switch lost; the call is for whoever gets it next", self.call_id)
        except JournalUnavailable as error:
            log.error("call %s: journal unavailable (%s); handed back to the switch", self.call_id, error)
        except Exception:
            log.exception("call %s: fault in the engine; handed back to the switch", self.call_id)
        finally:
            self._letting_go = True
            self._services.register.leave(self)
            self._left.set()
            self.channel.close()

    def detach(self, why: str, wait_s: float = 2.0) -> None:
        """Make the session let go of the call without touching the channel, and wait until it has."""
        if not self._letting_go and self._greenlet is not gevent.getcurrent():
            self._letting_go = True
            gevent.kill(self._greenlet, Detached(why))
        self._left.wait(wait_s)

    def _run(self) -> None:
        entries = self._entries
        if entries is None:
            entries = [] if _is_new(self.channel.info) else self._tools.journal.load(self.call_id)
        if not entries and self.channel.info.variables.get(SEEN_VARIABLE):
            raise JournalUnavailable("the call is known to the switch but not to the journal")
        self.log = CallLog(self.call_id, self._tools.journal, self._tools.clock, entries)
        if self.log.ended:
            log.warning("call %s: came back after its end; hung up", self.call_id)
            self.channel.hangup("NORMAL_CLEARING")
            return
        if not entries:
            if self._services.admission.leaves_alone(self.channel.info):
                raise Detached("an emergency call goes straight out")
            facts = self._services.admission.admit(self.channel.info)
            self.log.add(Started(facts))
        self._tools.journal.hold(self.call_id)
        self.log.add(Attached(self._services.engine, self.channel.info.attempt))
        if entries and self._entries is None:
            # Another engine may still have the call in conversation. It must find out before it hears the hangup that
            # the flow may ask for next, and writes the end of a call that is not its own any more.
            self.log.flush()
        try:
            self._drive(self.log.facts)
        except ChannelGone as gone:
            self._finish(gone.end)

    def _drive(self, facts: CallFacts) -> None:
        self._program = self._start_program(facts)
        executor = Executor(self.channel, self.log, self._tools)
        step = self._replay(self._program)
        while step is not None:
            self._note_given(step)
            step = self._execute(executor, step)
        end = self.channel.end or self.channel.hangup("NORMAL_CLEARING")
        self._finish(end)

    def _start_program(self, facts: CallFacts) -> Program:
        if not facts.flow:
            return _refuse(facts)
        return run_flow(self._tools.flows, facts.flow, facts.flow_version, call_data(facts))

    def _replay(self, program: Program) -> Step | None:
        """Feed the recorded results, execute the instruction that has none: the next step, or None at the end."""
        given, results = self.log.given(), self.log.results()
        try:
            step = next(program)
            while (recorded := given.get(self._step)) is not None:
                # Loaded, so that an instruction that got a field since is still the same one.
                if codec.load_instruction(recorded.instruction) != step.instruction:
                    raise Diverged(
                        f"step {self._step}: journal has {recorded.instruction}, the flow asks {step.instruction}"
                    )
                if (came := results.get(self._step)) is None:
                    executor = Executor(self.channel, self.log, self._tools)
                    return self._execute(executor, step)
                self._step += 1
                step = program.send(Reply(codec.load_result(came.result), came.at_ms))
        except StopIteration:
            return None
        return step

    def _execute(self, executor: Executor, step: Step) -> Step | None:
        reply = self._note_result(executor.execute(self._step, step.instruction))
        try:
            return cast("Program", self._program).send(reply)
        except StopIteration:
            return None

    def _note_given(self, step: Step) -> None:
        entered = tuple(codec.dump_entered(node) for node in step.entered)
        self.log.add(InstructionGiven(self._step, codec.dump_instruction(step.instruction), entered))

    def _note_result(self, result: Result) -> Reply:
        reply = Reply(result, self.log.elapsed_ms())
        self.log.add(ResultCame(self._step, codec.dump_result(result), reply.at_ms))
        self._step += 1
        return reply

    def _finish(self, end: ChannelEnd) -> None:
        """The one place where a call ends: flow clean-up, last entry, record."""
        note_bridge(self.log, end.variables.get("last_bridge_to", ""))
        self._tools.queueing.settle(self.log)
        self._tools.connections.settle(self.log)
        self._tools.limits.settle(self.log)
        self._clean_up_flow(end)
        self._tools.conversations.hang_up_legs(self.log, self.channel.info.switch, end.cause)
        end_call(self.log, end, self._services.outbox)

    def _clean_up_flow(self, end: ChannelEnd) -> None:
        """Let the flow's nodes clean up. What they attach to the call counts; for the rest the channel is gone."""
        if self._program is None:
            return
        self._step = len(self.log.given())
        try:
            step = self._program.throw(CallerGone(end.cause))
            while True:
                result: Result = (
                    Done() if isinstance(step.instruction, SetAttributes) else Refused("the caller is gone")
                )
                self._note_given(step)
                step = self._program.send(self._note_result(result))
        except (StopIteration, CallerGone):
            return


def _is_new(channel: ChannelInfo) -> bool:
    """The call has never been handed over before, so there is no journal to read: it stands in the first round of the
    entry, to which nobody has transferred it, and no engine has marked it.
    """
    known = channel.variables.get(SEEN_VARIABLE) or channel.variables.get("transfer_source")
    return channel.attempt == 1 and not known


class Diverged(RuntimeError):
    """The program asks for something else than what the journal says it asked for: the two don't belong together."""


def end_call(call_log: CallLog, end: ChannelEnd, outbox: CallOutbox) -> None:
    """Write the last entry, and hand the call's record to the outbox. Also for calls found orphaned."""
    if not call_log.ended:
        call_log.add(Ended(end.cause, "caller" if end.by_remote else "system"))
    call_log.flush()
    outbox.put(call_log.call_id, call_log.entries)


def _refuse(facts: CallFacts) -> Generator[Step, Reply, Any]:
    """The program of a call to a number without a route, or of one that is one too many.

    A number that is full has the caller hear that it is busy, unless another line takes the call. A trunk that is full
    tells the operator, who may have another way.
    """
    if not facts.refusal:
        yield Step(Hangup("UNALLOCATED_NUMBER", "no_route"))
    elif facts.refusal == TRUNK_FULL:
        yield Step(Hangup(FULL_CAUSE, TRUNK_FULL))
    else:
        cause = "USER_BUSY"
        if facts.fallback:
            yield Step(Answer("ringing"))
            reply = yield Step(Connect(NumberTarget(facts.fallback), FALLBACK_RING_S))
            if isinstance(reply.result, Conversation):
                cause = "NORMAL_CLEARING"
        yield Step(Hangup(cause, NUMBER_FULL))
