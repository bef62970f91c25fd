"""What a caller hears while he waits: a flow of kind `queue_wait`, or the queue's music and announcements.

It runs beside the waiting and is stopped in the middle of a word as soon as an agent has accepted. It is not journaled:
an engine that takes the call up begins it anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent

from engine.acd.wait import PlaceTold
from engine.domain.acd import Standing
from engine.domain.routing import Announcements
from engine.session.media import MediaPaths
from engine.session.queueing.moments import Moments
from engine.switch.port import NOT_DONE, Channel, ChannelGone, SwitchLost
from ivr_flows import say
from ivr_flows.instructions import Hangup, Instruction, Media, PromptFile, SetAttributes
from ivr_flows.program import Program
from ivr_flows.results import Done, QueueStanding, Reply, Result

log = logging.getLogger(__name__)

MUSIC = PromptFile("general/music.wav")
"""What a queue without music of its own plays."""


class Waiting:
    """One caller's. `stop` ends it at once; afterwards nothing plays."""

    def __init__(
        self,
        channel: Channel,
        media: MediaPaths,
        moments: Moments,
        language: str,
        joined_ms: int,
        told: int | None,
        note: Callable[[int], object],
    ) -> None:
        """`told`: the place that he was told last, if he was. `note` is called with each place that he may be told from
        now on: the position never grows (R30), whichever engine tells it.
        """
        self._channel, self._media, self._moments = channel, media, moments
        self._language, self._note = language, note
        self.joined_ms = joined_ms
        self._now: Standing | None = None
        self._place, self._noted = PlaceTold(told), told
        self._greenlet: gevent.Greenlet | None = None
        self._began_s = time.monotonic()

    def tell(self, standing: Standing) -> None:
        """Where the member stands now."""
        self._now = standing

    def waited_ms(self) -> int:
        """Since he joined, by the shared clock."""
        return max(0, self._moments.now_ms() - self.joined_ms)

    def standing(self) -> QueueStanding | None:
        """What he is told now, if anything is; None before anybody has decided anything."""
        if self._now is None:
            return None
        place = self._place.place(self._now.position)
        if place != self._noted:
            self._noted = place
            self._note(place)
        low_ms, high_ms = self._now.wait_low_ms, self._now.wait_high_ms
        return QueueStanding(
            position=place,
            waited_s=self.waited_ms() // 1000,
            wait_low_s=None if low_ms is None else low_ms // 1000,
            wait_high_s=None if high_ms is None else -(-high_ms // 1000),
        )

    def start(self, work: Callable[[], object]) -> None:
        """Begin, or begin again, with `flow` or `usual`."""
        self._greenlet = gevent.spawn(self._guarded, work)

    def stop(self) -> None:
        """Nothing is heard any more. Raises ChannelGone, SwitchLost, DeadlinePassed."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        self._channel.stop_playing()

    def abandon(self) -> None:
        """Like `stop`, of a call that has ended or is another engine's: nothing is sent."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (ChannelGone, SwitchLost):
            return  # who waits for the agent hears of it, too
        except Exception:
            log.exception("call %s: fault in what he hears while he waits; he waits on", self._channel.info.uuid)

    # Its two kinds

    def flow(
        self, program: Program, execute: Callable[[int, Instruction], Result], otherwise: Callable[[], object]
    ) -> None:
        """Run the flow. Where it hangs up so does the call; after a fault or at a limit `otherwise` goes on."""
        number = 0
        try:
            step = next(program)
            while True:
                held_back = isinstance(step.instruction, Hangup | SetAttributes)
                result: Result = Done() if held_back else execute(number, step.instruction)
                number += 1
                gevent.sleep(0)  # a flow that computes for long gives others their turn
                step = program.send(Reply(result, round((time.monotonic() - self._began_s) * 1000), self.standing()))
        except StopIteration as end:
            outcome = end.value
        if outcome.end == "hangup":
            self._channel.hangup(outcome.cause)
            return
        log.warning("call %s: its waiting flow ended: %s", self._channel.info.uuid, outcome.reason)
        otherwise()

    def usual(self, music: tuple[Media, ...], plan: Announcements) -> None:
        """Music, and the position and the expected wait as often as the queue's settings say."""
        first_s = float(plan.first_after_s)
        position_s = None if plan.position_every_s is None else first_s
        expected_s = None if plan.expected_wait_every_s is None else first_s
        while True:
            self._channel.start_playing(self._media.available(music))
            due_s = min((each for each in (position_s, expected_s) if each is not None), default=None)
            if due_s is None:
                return
            gevent.sleep(max(0.0, due_s - self.waited_ms() / 1000))
            spoken: list[Media] = []
            if position_s is not None and position_s <= due_s:
                spoken += position(self.standing(), self._language)
                position_s = self.waited_ms() / 1000 + (plan.position_every_s or 0)
            if expected_s is not None and expected_s <= due_s:
                spoken += expected_wait(self.standing(), self._language)
                expected_s = self.waited_ms() / 1000 + (plan.expected_wait_every_s or 0)
            sources = self._media.available(spoken)
            if sources:
                self._play(sources)

    def _play(self, sources: list[str]) -> None:
        try:
            self._channel.play(sources)
        except NOT_DONE as fault:
            log.warning("call %s: not announced: %s", self._channel.info.uuid, fault)


def position(standing: QueueStanding | None, language: str) -> list[Media]:
    """His place as a sentence; nothing where it is not known or there are no words for it."""
    if standing is None:
        return []
    try:
        return [say.position(standing.position, language)]
    except say.CannotSay:
        return []


def expected_wait(standing: QueueStanding | None, language: str) -> list[Media]:
    """Between which waits, as a sentence; nothing where nobody can honestly say."""
    if standing is None or standing.wait_low_s is None or standing.wait_high_s is None:
        return []
    try:
        return [say.wait(standing.wait_low_s, standing.wait_high_s, language)]
    except say.CannotSay:
        return []
