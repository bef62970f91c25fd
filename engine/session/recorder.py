"""Recordings from the call's side: the row before the start, the command to the switch, the entry in the journal.

What happens to the file after that is the business of `recordings`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from engine.domain.journal import RecordingEvent
from engine.domain.ports import Ids
from engine.domain.recording import RecordingRow, rows_of
from engine.domain.routing import RoutingSnapshot
from engine.session.log import CallLog
from engine.switch.port import NOT_DONE, Channel
from ivr_flows.results import Done, Refused, Result

logger = logging.getLogger(__name__)


class Recorder:
    """Starts and stops recordings.

    `announce` puts the recording's row where it can't be lost (the spool), before the switch is told to record: a file
    never exists that nobody knows of (R83).
    """

    def __init__(
        self,
        directory: Path,
        ids: Ids,
        announce: Callable[[RecordingRow], None],
        routing: Callable[[int], RoutingSnapshot],
        unrecorded: Callable[[str], bool] = lambda number: False,
    ) -> None:
        """`unrecorded`: whether nothing is recorded where this number takes part (R7)."""
        self._unrecorded = unrecorded
        self._directory = directory
        self._ids = ids
        self._announce = announce
        self._routing = routing

    def join(self, channel: Channel, log: CallLog, others: Iterable[str], *, wanted: bool) -> None:
        """The caller is about to talk with somebody who is known under these numbers. `wanted`: record that.

        Where one of them is not to be recorded, a recording that runs is stopped: masked, it would have to be unmasked
        after the conversation by an engine that may be dead by then.
        """
        if any(self._unrecorded(number) for number in others if number) or self._is_private(log):
            self.stop(channel, log)
        elif wanted:
            self.start(channel, log)

    def _is_private(self, log: CallLog) -> bool:
        """Whether the call was made by, or to, a number where nothing is recorded."""
        return any(self._unrecorded(number) for number in (log.facts.ani, log.facts.did) if number)

    def start(self, channel: Channel, log: CallLog) -> bool:
        """Start recording both directions; one that runs already goes on. False when the switch will not record: the
        call goes on all the same, and the journal says that there is no recording.
        """
        running = log.recording()
        refusal: Literal["failed", "stopped"]
        if running is None:
            recording = self._ids.new()
            running = RecordingEvent(recording, "started", str(self._directory / f"{recording}.flac"))
            log.add(running)
            refusal = "failed"
        else:
            # The engine may have died between this entry and the command. The switch takes the command for a recording
            # that runs and does nothing (measured).
            refusal = "stopped"
        self._announce(self._named(rows_of(log.entries)[-1], log.facts.snapshot))
        try:
            channel.start_recording(running.path, masked=log.recording_masked())
        except NOT_DONE as refused:
            logger.error("call %s: not recorded: %s", log.call_id, refused)
            log.add(replace(running, event=refusal))
            return False
        return True

    def _named(self, row: RecordingRow, snapshot: int) -> RecordingRow:
        """The row with the agent's name and number and the queue's name as they are at this moment (R81)."""
        routing = self._routing(snapshot)
        queue = next((each for each in routing.queues if each.id == row.queue), None)
        if queue is not None:
            row = replace(row, queue_name=queue.name)
        agent = next((each for each in routing.agents if each.id == row.agent), None)
        return replace(row, agent_name=agent.name, agent_number=agent.number) if agent else row

    def stop(self, channel: Channel, log: CallLog) -> None:
        """Stop the running recording, if there is one; one that has ended by itself is stopped as well."""
        running = log.recording()
        if running is not None:
            try:
                channel.stop_recording(running.path)
            except NOT_DONE as refused:
                logger.warning("call %s: recording was over already: %s", log.call_id, refused)
            log.add(RecordingEvent(running.recording, "stopped", running.path))

    def change(self, action: str, channel: Channel, log: CallLog) -> Result:
        """What a flow's record node asks for. Pause and mask are one thing: silence in the place of what was said."""
        if action == "start":
            if self._is_private(log):
                return Refused("nothing is recorded for this number (engine.unrecorded_numbers)")
            return Done() if self.start(channel, log) else Refused("the switch does not record")
        running = log.recording()
        if running is None:
            return Refused("no recording is running")
        if action == "stop":
            self.stop(channel, log)
            return Done()
        masked = action in ("pause", "mask")
        try:
            (channel.mask_recording if masked else channel.unmask_recording)(running.path)
        except NOT_DONE as refused:
            return Refused(str(refused))
        log.add(RecordingEvent(running.recording, "masked" if masked else "unmasked", running.path))
        return Done()
