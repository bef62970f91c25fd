"""One call's journal in memory: numbers the entries, hands them to the writer, answers questions about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.cdr.record import JournalBroken
from engine.domain.call import CallFacts, JsonObject
from engine.domain.journal import (
    Ended,
    Entry,
    Event,
    InstructionGiven,
    LegEvent,
    RecordingEvent,
    ResultCame,
    Started,
)
from engine.domain.ports import Clock
from engine.session.journal import Journal


class CallLog:
    """The entries of one call. `Journal.append` gets each of them; nothing is ever changed or taken back."""

    def __init__(self, call_id: str, journal: Journal, clock: Clock, entries: Sequence[Entry] = ()) -> None:
        self.call_id = call_id
        self.entries: list[Entry] = list(entries)
        self._journal = journal
        self._clock = clock

    def add(self, event: Event) -> Entry:
        """Append the event with the next number and the present time."""
        entry = Entry(len(self.entries) + 1, self._clock.now_ms(), event)
        self.entries.append(entry)
        self._journal.append(self.call_id, entry)
        return entry

    def send_again(self) -> None:
        """Hand all entries to the writer once more: the store has lost them."""
        if not self.ended:  # a hold that came after the close would never be taken back
            self._journal.hold(self.call_id)
        for entry in self.entries:
            self._journal.append(self.call_id, entry)

    def flush(self) -> None:
        """Wait until all entries are safe: before anything whose repetition a caller or an agent would notice."""
        self._journal.flush()

    @property
    def facts(self) -> CallFacts:
        first = self.entries[0].event
        if not isinstance(first, Started):
            raise JournalBroken(f"call {self.call_id}: the journal does not begin with 'started'")
        return first.facts

    @property
    def ended(self) -> bool:
        return bool(self.entries) and isinstance(self.entries[-1].event, Ended)

    def given(self) -> Mapping[int, InstructionGiven]:
        """Instructions by step."""
        return {entry.event.step: entry.event for entry in self.entries if isinstance(entry.event, InstructionGiven)}

    def results(self) -> Mapping[int, ResultCame]:
        """Results by step."""
        return {entry.event.step: entry.event for entry in self.entries if isinstance(entry.event, ResultCame)}

    def legs_since(self, step: int) -> dict[str, dict[str, Entry]]:
        """What happened to each leg (leg → event → entry) since the instruction of `step` was given."""
        legs: dict[str, dict[str, Entry]] = {}
        begun = False
        for entry in self.entries:
            if isinstance(entry.event, InstructionGiven) and entry.event.step == step:
                begun = True
            elif begun and isinstance(entry.event, LegEvent):
                legs.setdefault(entry.event.leg, {})[entry.event.event] = entry
        return legs

    def since(self, step: int) -> Iterator[Event]:
        """What has happened since the instruction of `step` was given."""
        entries = iter(self.entries)
        for entry in entries:
            if isinstance(entry.event, InstructionGiven) and entry.event.step == step:
                break
        for entry in entries:
            yield entry.event

    def pending(self) -> JsonObject | None:
        """The last instruction, where it has no result yet."""
        given = self.given()
        step = max(given, default=None)
        return None if step is None or step in self.results() else given[step].instruction

    def attributes(self) -> dict[str, str]:
        """What the flow has attached to the call so far."""
        results = self.results()
        attributes: dict[str, str] = {}
        for step, given in self.given().items():
            if given.instruction.get("op") == "set_attributes" and step in results:
                attributes.update(given.instruction.get("attributes", {}))
        return attributes

    def recording(self) -> RecordingEvent | None:
        """The recording that runs now, None when there is none."""
        running: RecordingEvent | None = None
        for entry in self.entries:
            if isinstance(entry.event, RecordingEvent):
                if entry.event.event == "started":
                    running = entry.event
                elif entry.event.event in ("stopped", "failed"):
                    running = None
        return running

    def recording_masked(self) -> bool:
        """The running recording is masked (paused) at this moment."""
        masked = False
        for entry in self.entries:
            if isinstance(entry.event, RecordingEvent):
                masked = entry.event.event == "masked"
        return masked

    def elapsed_ms(self) -> int:
        """Milliseconds since the call's first entry."""
        return self._clock.now_ms() - self.entries[0].at_ms
