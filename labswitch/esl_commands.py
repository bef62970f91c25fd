"""What a controller may say on an event socket. A handler answers with the text of `Reply-Text`, or None when it
has answered by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from labswitch import api
from labswitch.config import is_true
from labswitch.event import MYEVENTS, TYPES

if TYPE_CHECKING:
    from labswitch.esl import Command, Connection

log = logging.getLogger("labswitch.esl")

_BEFORE_PARK_S = 0.001

Handler = Callable[["Connection", "Command", str], Awaitable[str | None]]


async def perform(connection: Connection, command: Command) -> str | None:
    """Do what one block says."""
    word, _, rest = command.line.partition(" ")
    word, rest = word.lower(), rest.strip()
    if word.startswith(("exit", "...")):
        connection.running = False
        return "+OK bye"
    if not connection.authenticated:
        return _authenticate(connection, word, rest)
    handler = _HANDLERS.get(word)
    if handler is None or (word in _FULL_ONLY and connection.outbound and not connection.full):
        return "-ERR command not found"
    return await handler(connection, command, rest)


def _authenticate(connection: Connection, word: str, rest: str) -> str:
    if word == "auth" and rest == connection.switch.config.esl_password:
        connection.authenticated = True
        return "+OK accepted"
    connection.running = False
    return "-ERR invalid"


async def _connect(connection: Connection, command: Command, rest: str) -> str | None:
    channel = connection.channel
    if channel is None or not connection.outbound:
        return "-ERR command not found"
    event = channel.data_event(prefix_profile=True)
    event.headers += [
        ("Content-Type", "command/reply"),
        ("Reply-Text", "+OK\n"),
        ("Socket-Mode", "async"),
        ("Control", "full" if connection.full else "single-channel"),
    ]
    connection.write(event.plain())
    connection.connected = True
    # The park begins a moment later: usually after what the engine sends together with `connect`.
    asyncio.get_running_loop().call_later(_BEFORE_PARK_S, channel.wake)
    return None


async def _myevents(connection: Connection, command: Command, rest: str) -> str | None:
    if connection.my_events:
        return "-ERR aready enabled."  # FreeSWITCH's spelling
    if connection.channel is None:
        words = rest.split()
        # FreeSWITCH says +OK to an unknown uuid, too; nothing is ever delivered then.
        connection.channel = connection.switch.find(words[0]) if words else None
    connection.names |= MYEVENTS
    connection.listening = True
    connection.my_events = True
    connection.json = "json" in rest.lower() or connection.json
    return "+OK Events Enabled"


async def _event(connection: Connection, command: Command, rest: str) -> str | None:
    words = rest.split()
    if words and words[0].lower() in {"plain", "json", "xml"}:
        if words[0].lower() == "xml":
            return "-ERR xml is not supported here"
        connection.json = words.pop(0).lower() == "json"
    names, subclasses = _names(words)
    if not names:
        return "-ERR no keywords supplied"
    connection.names |= names
    connection.listening = True
    connection.subclasses |= subclasses
    return f"+OK event listener enabled {'json' if connection.json else 'plain'}"


def _names(words: list[str]) -> tuple[set[str], set[str]]:
    """Event names, and what follows CUSTOM: subclasses. Unknown names are passed over."""
    names: set[str] = set()
    for index, word in enumerate(words):
        if word.upper() in TYPES:
            names.add(word.upper())
        if word.upper() == "CUSTOM":
            return names, set(words[index + 1 :])
    return names, set()


async def _nixevent(connection: Connection, command: Command, rest: str) -> str | None:
    names, subclasses = _names(rest.split())
    if not names:
        return "-ERR no keywords supplied"
    if "ALL" in names:
        connection.names.clear()
    elif "ALL" in connection.names:
        connection.names = set(TYPES) - {"ALL"}
    if subclasses:
        connection.subclasses -= subclasses
        names.discard("CUSTOM")
    connection.names -= names
    connection.listening = True
    return "+OK events nixed"


async def _noevents(connection: Connection, command: Command, rest: str) -> str | None:
    if not connection.listening:
        return "-ERR not listening for events"
    connection.listening = False
    connection.names.clear()
    connection.subclasses.clear()
    return "+OK no longer listening for events"


async def _filter(connection: Connection, command: Command, rest: str) -> str | None:
    if not rest:
        return "-ERR command not found"
    name, _, value = rest.partition(" ")
    if name.lower() == "delete" and value:
        name, _, value = value.partition(" ")
        if name.lower() == "all":
            connection.filters.clear()
        else:
            connection.filters = [f for f in connection.filters if f[0] != name or (value and f[1] != value)]
        return f"+OK filter deleted. [{name}][{value}]"
    if name.lower() == "add":
        name, _, value = value.partition(" ")
    if not value:
        return "-ERR invalid syntax"
    connection.filters.append((name, value))
    return f"+OK filter added. [{name}]=[{value}]"


async def _sendmsg(connection: Connection, command: Command, rest: str) -> str | None:
    uuid = rest or command.headers.get("session-id", "")
    channel = connection.channel if not uuid else connection.switch.find(uuid)
    if channel is None:
        return f"-ERR invalid session id [{uuid}]"
    channel.private_events.append({**command.headers, "_body": command.body})
    return "+OK"


async def _sendevent(connection: Connection, command: Command, rest: str) -> str | None:
    name = rest.split(" ")[0].upper() or "CUSTOM"
    uuid = connection.switch.new_uuid()
    headers = [(header.title(), value) for header, value in command.headers.items()]
    subclass = command.headers.get("event-subclass", "")
    connection.switch.fire(name, lambda: [*headers, ("Event-UUID", uuid)], command.body, subclass)
    return f"+OK {uuid}"


async def _api(connection: Connection, command: Command, rest: str) -> str | None:
    name, _, arguments = rest.partition(" ")
    connection.send_api(await _run_api(connection, name, arguments))
    return None


async def _run_api(connection: Connection, name: str, arguments: str) -> str:
    text = await api.run(connection.switch, name, arguments)
    return f"-ERR {name} Command not found!\n" if text is None else text


async def _bgapi(connection: Connection, command: Command, rest: str) -> str | None:
    name, _, arguments = rest.partition(" ")
    job = command.headers.get("job-uuid") or connection.switch.new_uuid()
    owner = connection.channel.uuid if connection.channel is not None else None

    async def work() -> None:
        text = await _run_api(connection, name, arguments)
        headers = [("Job-UUID", job)]
        headers += [("Job-Owner-UUID", owner)] if owner else []
        headers.append(("Job-Command", name))
        headers += [("Job-Command-Arg", arguments)] if arguments else []
        connection.switch.fire("BACKGROUND_JOB", lambda: headers, text)

    # Started after the reply is written, so that its events follow the reply.
    connection.reply(f"+OK Job-UUID: {job}\nJob-UUID: {job}")
    task = asyncio.get_running_loop().create_task(work())
    connection.switch.jobs.add(task)
    task.add_done_callback(connection.switch.jobs.discard)
    return None


async def _linger(connection: Connection, command: Command, rest: str) -> str | None:
    if connection.channel is None:
        return "-ERR not controlling a session"
    if not rest:
        connection.linger_s = float("inf")
        return "+OK will linger"
    seconds = int(rest) if rest.isdigit() else 0
    connection.linger_s = seconds
    return f"+OK will linger {seconds} seconds"


async def _nolinger(connection: Connection, command: Command, rest: str) -> str | None:
    if connection.channel is None:
        return "-ERR not controlling a session"
    connection.linger_s = None
    return "+OK will not linger"


async def _getvar(connection: Connection, command: Command, rest: str) -> str | None:
    if connection.channel is None:
        return "-ERR command not found"
    return connection.channel.get(rest) or "-ERR command not found"


async def _resume(connection: Connection, command: Command, rest: str) -> str | None:
    if connection.channel is None:
        return "-ERR command not found"
    connection.resume = True
    connection.channel.set("socket_resume", "true")
    return "+OK"


async def _divert_events(connection: Connection, command: Command, rest: str) -> str | None:
    if connection.channel is None:
        return "-ERR not controlling a session."
    if not rest:
        return "-ERR missing value."
    return "+OK events diverted" if is_true(rest) else "+OK events not diverted"


async def _log(connection: Connection, command: Command, rest: str) -> str | None:
    return f"+OK log level {rest} [{rest if rest.isdigit() else 7}]"


async def _nolog(connection: Connection, command: Command, rest: str) -> str | None:
    return "+OK no longer logging"


_HANDLERS: dict[str, Handler] = {
    "connect": _connect,
    "myevents": _myevents,
    "event": _event,
    "events": _event,
    "nixevent": _nixevent,
    "noevents": _noevents,
    "filter": _filter,
    "sendmsg": _sendmsg,
    "sendevent": _sendevent,
    "api": _api,
    "bgapi": _bgapi,
    "linger": _linger,
    "nolinger": _nolinger,
    "getvar": _getvar,
    "resume": _resume,
    "divert_events": _divert_events,
    "log": _log,
    "nolog": _nolog,
}
_FULL_ONLY = frozenset(
    (
        *("sendevent", "api", "bgapi", "log", "nolog", "linger", "nolinger"),
        *("event", "events", "nixevent", "noevents"),
    )
)
"""What a socket without `full` may not say."""
