"""originate, create_uuid, hupall: making and ending calls."""

from __future__ import annotations

import asyncio

from labswitch.api import command
from labswitch.causes import to_cause
from labswitch.originate import originate, run_on_answer
from labswitch.switch import Switch

_USAGE = (
    "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>]"
    " [<timeout_sec>]\n"
)


@command("create_uuid")
async def create_uuid(switch: Switch, arguments: str) -> str:
    """A fresh identity, without a line break."""
    return switch.new_uuid()


@command("originate")
async def originate_(switch: Switch, arguments: str) -> str:
    """`<dial string> <extension>|&<app>(<arguments>) [dialplan] [context] [name] [number] [timeout_s]`."""
    words = _words(arguments)
    if len(words) < 2:
        return _USAGE
    words += [""] * (7 - len(words))
    dial_string, what, dialplan, context, name, number, timeout = words[:7]
    given = [("origination_caller_id_name", name), ("origination_caller_id_number", number)]
    extra = ",".join(f"{key}={value}" for key, value in given if value and value != "undef")
    if extra:
        dial_string = f"{{{extra}}}{dial_string}"
    limit_s = float(timeout) if timeout.isdigit() else None
    outcome = await originate(switch, dial_string, timeout_s=limit_s)
    channel = outcome.channel
    if channel is None:
        return f"-ERR {outcome.cause}\n"
    run_on_answer(channel, what, dialplan, context)
    return f"+OK {channel.uuid}\n"


def _words(text: str) -> list[str]:
    """Split at spaces outside of brackets and quotes."""
    words, word, depth, quoted = [], "", 0, False
    for char in text:
        quoted ^= char == "'"
        depth += (char in "{[(") - (char in "}])")
        if char == " " and depth <= 0 and not quoted:
            words.append(word)
            word = ""
        else:
            word += char
    return [w for w in [*words, word] if w]


@command("hupall")
async def hupall(switch: Switch, arguments: str) -> str:
    """`[<cause>]`: hang up every channel; `<cause> <variable> <value>` those that have it."""
    words = arguments.split()
    cause = to_cause(words[0]) if words else "MANAGER_REQUEST"
    for channel in tuple(switch.channels.values()):
        if len(words) < 3 or channel.get(words[1]) == words[2]:
            channel.hangup(cause)
    await asyncio.sleep(0)
    return f"+OK hangup all channels with cause {cause}\n"


@command("sched_del")
async def sched_del(switch: Switch, arguments: str) -> str:
    """`<number>|<group>`: take back what is scheduled; the group of a channel is its uuid."""
    return f"+OK Deleted: {switch.schedule.cancel(arguments)}\n" if arguments else "-ERR Invalid syntax\n"
