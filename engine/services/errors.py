"""What a use case may refuse, one class a fault, each with an id that stays.

    ServiceError
    ├── NotFound
    │   ├── FlowNotFound, FlowVersionNotFound
    │   ├── PromptNotFound, PromptVersionNotFound
    │   ├── CallNotFound, JournalNotFound, RecordingNotFound, CallNotExplained
    │   ├── NumberNotFound, AgentNotFound, TrunkNotFound, CalendarNotFound, QueueNotFound
    │   ├── NoticeNotFound, ContactNotFound
    │   └── KeyNotFound
    ├── Refused                    what was sent is at fault: `faults` say where and why
    │   ├── FlowRefused            with `findings` in place of faults
    │   ├── NumberRefused, AgentRefused, TrunkRefused, CalendarRefused, QueueRefused, KeyRefused, PromptRefused
    │   └── NoticeRefused, ContactRefused
    ├── Conflict                   what was sent is well-formed, and does not go with what is there
    │   ├── AgentInUse, TrunkInUse, CalendarInUse, QueueInUse, NoticeInUse
    │   ├── FlowNotActive, NothingBefore
    │   ├── AgentNotPossible           the agent's state does not allow it
    │   └── RecordingNotStored
    └── Unavailable                it can't be done now, and may be in a moment
        ├── StorageAway            object storage can't be used
        ├── AgentStatesAway, QueueStatesAway   Redis can't be used
        ├── AgentNotThere          an agent who is new, or whose state is being brought back
        └── UploadsBusy            other prompts are being converted

`StoreUnavailable` and `BadData` of the store pass through as they are. HTTP is spoken at the edge only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from dialplan.faults import Fault
from ivr_flows import Finding


class ServiceError(Exception):
    """Base. `id` and `title` belong to the class, `detail` to the case; `more` holds values for programs."""

    id: ClassVar[str] = "error"
    title: ClassVar[str] = "It can't be done"

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.more = more


class NotFound(ServiceError):
    id = "not_found"
    title = "There is no such thing"


class FlowNotFound(NotFound):
    id = "flow_not_found"
    title = "There is no such flow"

    def __init__(self, flow: str) -> None:
        super().__init__(f"No flow has the id {flow!r}.")


class FlowVersionNotFound(NotFound):
    id = "flow_version_not_found"
    title = "There is no such version of the flow"

    def __init__(self, flow: str, version: str) -> None:
        super().__init__(f"The flow {flow!r} has no version {version!r}.")


class PromptNotFound(NotFound):
    id = "prompt_not_found"
    title = "There is no such prompt"

    def __init__(self, name: str, language: str) -> None:
        super().__init__(f"No prompt {name!r} was uploaded in {language!r}.")


class PromptVersionNotFound(NotFound):
    id = "prompt_version_not_found"
    title = "There is no such version of the prompt"

    def __init__(self, name: str, language: str, version: str) -> None:
        super().__init__(f"The prompt {name!r} has no version {version!r} in {language!r}.")


class CallNotFound(NotFound):
    id = "call_not_found"
    title = "There is no such call"

    def __init__(self, call_id: str) -> None:
        super().__init__(f"No call that is over has the id {call_id!r}.")


class JournalNotFound(NotFound):
    id = "journal_not_found"
    title = "The call's journal is not kept"

    def __init__(self, call_id: str) -> None:
        super().__init__(f"The journal of the call {call_id!r} is not, or no longer, kept.")


class CallNotExplained(NotFound):
    id = "call_not_explained"
    title = "Nothing was decided for such a call"

    def __init__(self, call_id: str) -> None:
        super().__init__(
            f"No call {call_id!r} waits in a queue, and no decision for it is kept: decisions are kept for a day, and "
            "only of calls that came to a queue."
        )


class RecordingNotFound(NotFound):
    id = "recording_not_found"
    title = "There is no such recording"

    def __init__(self, call_id: str, recording: str | None = None) -> None:
        what = "no recording" if recording is None else f"no recording {recording!r}"
        super().__init__(f"The call {call_id!r} has {what}.")


class NumberNotFound(NotFound):
    id = "number_not_found"
    title = "There is no such number"

    def __init__(self, pattern: str) -> None:
        super().__init__(f"No flow answers {pattern!r}.")


class AgentNotFound(NotFound):
    id = "agent_not_found"
    title = "There is no such agent"

    def __init__(self, agent: str) -> None:
        super().__init__(f"No agent has the id {agent!r}.")


class TrunkNotFound(NotFound):
    id = "trunk_not_found"
    title = "There is no such trunk"

    def __init__(self, trunk: str) -> None:
        super().__init__(f"No trunk has the id {trunk!r}.")


class CalendarNotFound(NotFound):
    id = "calendar_not_found"
    title = "There is no such calendar"

    def __init__(self, calendar: str) -> None:
        super().__init__(f"No calendar has the id {calendar!r}.")


class QueueNotFound(NotFound):
    id = "queue_not_found"
    title = "There is no such queue"

    def __init__(self, queue: str) -> None:
        super().__init__(f"No queue has the id {queue!r}.")


class NoticeNotFound(NotFound):
    id = "notice_not_found"
    title = "There is no such notice"

    def __init__(self, notice: str) -> None:
        super().__init__(f"No notice has the id {notice!r}.")


class ContactNotFound(NotFound):
    id = "contact_not_found"
    title = "There is no such contact"

    def __init__(self, key: str) -> None:
        super().__init__(f"No contact has the key {key!r}.")


class KeyNotFound(NotFound):
    id = "key_not_found"
    title = "There is no such key"

    def __init__(self, key: str) -> None:
        super().__init__(f"No key in force has the id {key!r}.")


class Refused(ServiceError):
    id = "refused"
    title = "What was sent can't be used"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        words = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{words}: " + "; ".join(map(str, self.faults)))


class NumberRefused(Refused):
    id = "number_refused"
    title = "The number can't be used"


class AgentRefused(Refused):
    id = "agent_refused"
    title = "The agent can't be used"


class TrunkRefused(Refused):
    id = "trunk_refused"
    title = "The trunk can't be used"


class CalendarRefused(Refused):
    id = "calendar_refused"
    title = "The calendar can't be used"


class QueueRefused(Refused):
    id = "queue_refused"
    title = "The queue can't be used"


class NoticeRefused(Refused):
    id = "notice_refused"
    title = "The notice can't be used"


class ContactRefused(Refused):
    id = "contact_refused"
    title = "The contact can't be used"


class KeyRefused(Refused):
    id = "key_refused"
    title = "The key can't be made"


class PromptRefused(Refused):
    id = "prompt_refused"
    title = "The prompt can't be used"


class FlowRefused(Refused):
    id = "flow_refused"
    title = "The flow can't run"

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(())
        errors = sum(finding.severity == "error" for finding in self.findings)
        words = "1 error" if errors == 1 else f"{errors} errors"
        self.detail = f"{words}, {len(self.findings) - errors} warnings; each is in findings."


class Conflict(ServiceError):
    id = "conflict"
    title = "It does not go with what is there"


class _InUse(Conflict):
    noun: ClassVar[str] = ""

    def __init__(self, name: str, users: Iterable[str]) -> None:
        self.users = tuple(users)
        super().__init__(f"The {self.noun} {name!r} is used by {', '.join(self.users)}.", used_by=list(self.users))


class AgentInUse(_InUse):
    id = "agent_in_use"
    title = "The agent is in use"
    noun = "agent"


class TrunkInUse(_InUse):
    id = "trunk_in_use"
    title = "The trunk is in use"
    noun = "trunk"


class CalendarInUse(_InUse):
    id = "calendar_in_use"
    title = "The calendar is in use"
    noun = "calendar"


class QueueInUse(_InUse):
    id = "queue_in_use"
    title = "The queue is in use"
    noun = "queue"


class NoticeInUse(_InUse):
    id = "notice_in_use"
    title = "The notice is in use"
    noun = "notice"


class FlowNotActive(Conflict):
    id = "flow_not_active"
    title = "Another version is active"

    def __init__(self, flow: str, version: str, active: str | None) -> None:
        now = f"the version {active!r} is" if active else "none is"
        super().__init__(
            f"The version {version!r} of the flow {flow!r} isn't active, {now}; nothing was rolled back.", active=active
        )


class NothingBefore(Conflict):
    id = "no_version_before"
    title = "No version to go back to"

    def __init__(self, flow: str, version: str) -> None:
        super().__init__(
            f"Before the version {version!r} of the flow {flow!r} no other one was active that hasn't been left again; "
            "activate a version by its name."
        )


class AgentNotPossible(Conflict):
    id = "agent_not_possible"
    title = "The agent's state does not allow it"

    def __init__(self, detail: str, state: str) -> None:
        super().__init__(detail, state=state)


class RecordingNotStored(Conflict):
    id = "recording_not_stored"
    title = "The recording is not in storage"

    def __init__(self, recording: str, state: str, reason: str) -> None:
        why = f": {reason}" if reason else ""
        super().__init__(f"The recording {recording!r} is {state}{why}.", recording=recording, state=state)


class Unavailable(ServiceError):
    id = "unavailable"
    title = "It can't be done now"


class UploadsBusy(Unavailable):
    id = "uploads_busy"
    title = "Other prompts are being converted"


class AgentStatesAway(Unavailable):
    id = "agent_states_unavailable"
    title = "Agents' states are away"


class QueueStatesAway(Unavailable):
    id = "queue_states_unavailable"
    title = "Queues' states are away"


class AgentNotThere(Unavailable):
    id = "agent_not_there_yet"
    title = "The agent's state is not there yet"

    def __init__(self, agent: str) -> None:
        super().__init__(
            f"The agent {agent!r} is set up, and an engine has him within a second; where it stays so, none is running."
        )


class StorageAway(Unavailable):
    id = "storage_unavailable"
    title = "Object storage is away"
