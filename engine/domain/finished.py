"""A call that is over, as it goes to the store."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.call import CallRecord
from engine.domain.recording import RecordingRow


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """The record, and what it was made from: the journal as the lines of `engine.domain.journal.encode`, joined by line
    feeds. `recordings`: what the journal says of them.
    """

    record: CallRecord
    journal: bytes
    recordings: tuple[RecordingRow, ...] = ()
