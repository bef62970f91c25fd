"""What the world answers to a flow's instructions, by short words, and how long it takes on the virtual clock."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from ivr_flows import codec
from ivr_flows import instructions as do
from ivr_flows import results as came
from ivr_flows.flow import Flow
from ivr_flows.instructions import Instruction, Media
from ivr_flows.node import ANSWERS
from ivr_flows.results import Refused, Result
from ivr_flows.verify.waiting import CHARACTER_MS, PROMPT_MS

TALK_MS = 60_000
"""How long a conversation takes where nothing else is said."""
WAIT_S = 300
"""How long a caller waits in a queue without a longest wait of its own."""
KEY_MS = 500

OPS: Mapping[str, type] = {each.__dataclass_fields__["op"].default: each for each in do.INSTRUCTIONS}  # type: ignore[attr-defined]
ALIASES = {
    "agent": "connect",
    "amd": "detect_answer",
    "calendar": "check_calendar",
    "callback": "request_callback",
    "conference": "join_conference",
    "contact": "find_contact",
    "dial": "connect",
    "flow": "enter_flow",
    "notice": "check_notice",
    "queue": "enqueue",
    "queue_stats": "read_queue",
    "sms": "send_sms",
    "voicemail": "record_message",
}
"""The names of nodes for the instructions that they give."""

_TALKED = {
    "talked": came.Conversation(TALK_MS),
    "cut_off": came.Conversation(TALK_MS, "system", "DESTINATION_OUT_OF_ORDER"),
}
_OWN: dict[str, dict[str, Result]] = {
    "play": {"played": came.Played(), "failed": came.PlayFailed("the prompt is missing")},
    "collect": {"failed": came.PlayFailed("the prompt is missing")},
    "check_calendar": {state: came.CalendarState(state) for state in ("open", "closed", "holiday")},
    "connect": {
        **_TALKED,
        "busy": came.NotConnected("busy", "USER_BUSY"),
        "no_answer": came.NotConnected("no_answer", "NO_ANSWER"),
        "rejected": came.NotConnected("rejected", "CALL_REJECTED"),
        "not_ready": came.NotConnected("not_ready", "SUBSCRIBER_ABSENT"),
        "failed": came.NotConnected("failed", "NORMAL_TEMPORARY_FAILURE"),
    },
    "http": {
        "ok": came.HttpAnswered(200, {}),
        "refused": came.HttpFailed("refused", "the service said no", 403),
        "timeout": came.HttpFailed("timeout", "no answer in time"),
        "error": came.HttpFailed("error", "the service failed", 503),
    },
    "find_contact": {
        "none": came.ContactsFound(0),
        "one": came.ContactsFound(1),
        "many": came.ContactsFound(2),
    },
    "check_notice": {"inactive": came.NoticeState(False), "active": came.NoticeState(True, ("notice.wav",))},
    "read_queue": {
        "idle": came.QueueFigures(2, 3, 0, 0, 0),
        "busy": came.QueueFigures(0, 3, 12, 300, 600),
        "empty": came.QueueFigures(0, 0, 0, 0),
    },
    "enqueue": {
        **_TALKED,
        **{why: came.QueueLeft(why) for why in ("timeout", "no_agents", "full", "closed")},
    },
    "request_callback": {outcome: came.CallbackNoted(outcome) for outcome in ("accepted", "duplicate", "closed")},
    "record_message": {"message": came.MessageLeft("message", 8000), "short": came.MessageLeft("", 900)},
    "detect_answer": {who: came.AnswerDetected(who) for who in ("human", "machine", "fax", "unsure")},
    "join_conference": {"left": came.ConferenceLeft(TALK_MS)},
}


def _words(op: str) -> dict[str, Result]:
    answers = ANSWERS[OPS[op]]
    done: dict[str, Result] = {"done": came.Done()} if came.Done in answers else {}
    refused: dict[str, Result] = {"refused": Refused("refused")} if Refused in answers else {}
    return {**done, **_OWN.get(op, {}), **refused}


WORDS: Mapping[str, Mapping[str, Result]] = {op: _words(op) for op in OPS}
"""The words for each instruction's results; the first one is what usually comes."""


class UnknownAnswer(ValueError):
    """There is no such answer to this instruction."""


def answer(op: str, text: str) -> Result:
    """The result of a word or of JSON: a result as it stands in golden cases, or the values of `http` and `contact`.

    Raises UnknownAnswer.
    """
    if not text.startswith("{"):
        if text in WORDS[op]:
            return WORDS[op][text]
        words = ", ".join(WORDS[op]) or "none"
        raise UnknownAnswer(f"{text!r} is no answer to {op}; words are: {words}; or give a result as JSON")
    try:
        content: dict[str, Any] = json.loads(text)
        if "kind" not in content and op == "http":
            content = {"kind": "http_answered", "status": 200, "values": content}
        elif "kind" not in content and op == "find_contact":
            content = {"kind": "contacts", "count": 1, "fields": content}
        result = codec.load_result(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise UnknownAnswer(f"no result of a flow's instruction: {first['msg']}") from None
    except ValueError as error:
        raise UnknownAnswer(f"not JSON: {error}") from None
    if not isinstance(result, ANSWERS[OPS[op]]):
        raise UnknownAnswer(f"a result of the kind {result.kind!r} is no answer to {op}")
    return result


def word_of(op: str, result: Result) -> str:
    """The word of a result, or its JSON: what `answer` takes."""
    for word, each in WORDS[op].items():
        if each == result:
            return word
    return json.dumps(codec.dump_result(result), ensure_ascii=False)


def usual(instruction: Instruction, flows: Mapping[str, Flow]) -> Result:
    """What comes when nothing goes wrong and the caller presses nothing."""
    if isinstance(instruction, do.Collect):
        return came.Collected("")
    if isinstance(instruction, do.EnterFlow):
        known = flows.get(instruction.flow)
        return came.FlowEntered(known.version) if known else Refused(f"the flow {instruction.flow} is not given")
    return next(iter(WORDS[instruction.op].values()))


def fits(result: Result, instruction: Instruction) -> bool:
    """Whether the result may come here: where no recording is played and no text spoken, no prompt can fail."""
    media = instruction.media if isinstance(instruction, do.Play | do.Collect) else ()
    silent = all(isinstance(each, do.Pause | do.Tone) for each in media)
    return isinstance(result, ANSWERS[type(instruction)]) and not (silent and isinstance(result, came.PlayFailed))


def fitted(result: Result, instruction: Instruction) -> Result:
    """The result with the time that the instruction itself tells: how long somebody waited in a queue."""
    match instruction, result:
        case do.Enqueue(max_wait_s=max_wait_s), came.QueueLeft(why="timeout", waited_ms=0):
            return dataclasses.replace(result, waited_ms=1000 * (max_wait_s or WAIT_S))
    return result


def lasting_ms(instruction: Instruction, result: Result) -> int:
    """How long it takes until this result comes."""
    match instruction, result:
        case do.Play(media=media), came.Played(key=key):
            return 1000 if key else length_ms(media)
        case do.Collect(), came.Collected(digits=digits, terminator=terminator) if digits or terminator:
            return 1000 + KEY_MS * len(digits + (terminator or ""))
        case do.Collect(media=media, timeout_ms=timeout_ms), came.Collected():
            return length_ms(media) + timeout_ms
        case do.Connect(ring_timeout_s=ring_s), came.NotConnected(why="no_answer"):
            return ring_s * 1000
        case do.HttpRequest(timeout_ms=timeout_ms), came.HttpFailed(why="timeout"):
            return timeout_ms
        case do.RecordMessage(media=media), came.MessageLeft(length_ms=message_ms):
            return length_ms(media) + message_ms
        case do.SendKeys(keys=keys, key_ms=key_ms), _:
            return 2 * key_ms * len(keys)
        case _, came.Conversation(talk_ms=talk_ms) | came.ConferenceLeft(talk_ms=talk_ms):
            return talk_ms
        case _, came.QueueLeft(waited_ms=waited_ms):
            return waited_ms
    return 0


def length_ms(media: Iterable[Media]) -> int:
    """How long it is to hear; a recording counts as in the checks of an upload, for its length isn't known here."""
    return sum(_length_ms(each) for each in media)


def _length_ms(media: Media) -> int:
    match media:
        case do.Pause(ms=ms):
            return ms
        case do.Tone(on_ms=on_ms, off_ms=off_ms, repeats=repeats):
            return (on_ms + off_ms) * max(1, repeats)
        case do.Spoken(text=text):
            return CHARACTER_MS * len(text)
    return PROMPT_MS
