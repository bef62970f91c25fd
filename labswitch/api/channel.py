"""uuid_*: looking at a channel and making it do things."""

from __future__ import annotations

from labswitch import recording
from labswitch.api import NO_CHANNEL, command
from labswitch.apps.variables import assign
from labswitch.bridge import uuid_bridge
from labswitch.causes import to_cause
from labswitch.channel import Channel
from labswitch.execute import break_app
from labswitch.state import State
from labswitch.switch import Switch
from labswitch.transfer import transfer

OK = "+OK\n"
SUCCESS = "+OK Success\n"
SENT = "+OK Message sent\n"


@command("uuid_exists")
async def uuid_exists(switch: Switch, arguments: str) -> str:
    """`<uuid>`: true or false, without a line break."""
    return "true" if switch.find(arguments) is not None else "false"


@command("uuid_kill")
async def uuid_kill(switch: Switch, arguments: str) -> str:
    """`<uuid> [<cause>]`."""
    uuid, _, cause = arguments.partition(" ")
    channel = switch.find(uuid)
    if channel is None:
        return NO_CHANNEL
    channel.hangup(to_cause(cause) if cause else "NORMAL_CLEARING")
    return OK


@command("uuid_bridge")
async def uuid_bridge_(switch: Switch, arguments: str) -> str:
    """`<uuid> <other>`."""
    words = arguments.split()
    if len(words) < 2:
        return "-USAGE: <uuid> <other_uuid>\n"
    channel, other = switch.find(words[0]), switch.find(words[1])
    if channel is None or other is None or not uuid_bridge(channel, other):
        return "-ERR Invalid uuid\n"
    return f"+OK {words[1]}\n"


@command("uuid_setvar")
async def uuid_setvar(switch: Switch, arguments: str) -> str:
    """`<uuid> <name> [<value>]`."""
    uuid, _, rest = arguments.partition(" ")
    name, _, value = rest.partition(" ")
    channel = switch.find(uuid)
    if channel is None:
        return NO_CHANNEL
    channel.set(name, value or None)
    return OK


@command("uuid_setvar_multi")
async def uuid_setvar_multi(switch: Switch, arguments: str) -> str:
    """`<uuid> <name>=<value>;<name>=<value>...`."""
    uuid, _, rest = arguments.partition(" ")
    channel = switch.find(uuid)
    if channel is None:
        return NO_CHANNEL + "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
    for pair in rest.split(";"):
        if pair:
            assign(channel, pair)
    return OK


@command("uuid_getvar")
async def uuid_getvar(switch: Switch, arguments: str) -> str:
    """`<uuid> <name>`: the value without a line break, `_undef_` where there is none."""
    uuid, _, name = arguments.partition(" ")
    if not name:
        return "-USAGE: <uuid> <var>\n"
    channel = switch.find(uuid)
    if channel is None:
        return NO_CHANNEL
    value = channel.get(name)
    return "_undef_" if value is None else value


@command("uuid_dump")
async def uuid_dump(switch: Switch, arguments: str) -> str:
    """`<uuid> [plain|json]`: everything about a channel."""
    words = arguments.split()
    channel = switch.find(words[0]) if words else None
    if channel is None:
        return NO_CHANNEL
    event = channel.data_event()
    if words[1:2] == ["json"]:
        return event.json().decode()
    return "".join(f"{name}: {value}\n" for name, value in event.headers) + "\n"


@command("uuid_break")
async def uuid_break(switch: Switch, arguments: str) -> str:
    """`<uuid> [all]`: end the running application."""
    words = arguments.split()
    channel = switch.find(words[0]) if words else None
    if channel is None:
        return NO_CHANNEL
    break_app(channel, all_of_it=words[1:2] == ["all"])
    return OK


@command("uuid_broadcast")
async def uuid_broadcast(switch: Switch, arguments: str) -> str:
    """`<uuid> <sound>|<app>::<arguments> [aleg|bleg|both]`: run it on the channel, its partner, or both."""
    words = arguments.split(" ")
    legs = words.pop() if words[-1] in {"aleg", "bleg", "both", "holdb"} else "aleg"
    channel = switch.find(words[0])
    if channel is None or len(words) < 2:
        return "-ERR invalid uuid\n"
    name, marker, data = " ".join(words[1:]).partition("::")
    if not marker:
        name, data = "playback", name
    partner = channel.bridge_peer or channel.partner
    targets = [channel] if legs in {"aleg", "both", "holdb"} else []
    if legs in {"bleg", "both"} and partner is not None:
        targets.append(partner)
    for target in targets:
        _send(target, name, data)
    return SENT


def _send(channel: Channel, name: str, data: str) -> None:
    message = {"call-command": "execute", "execute-app-name": name, "execute-app-arg": data}
    channel.private_events.append(message)


@command("uuid_record")
async def uuid_record(switch: Switch, arguments: str) -> str:
    """`<uuid> start|stop|mask|unmask <path> [<seconds>]`."""
    words = arguments.split()
    if len(words) < 3:
        return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
    channel = switch.find(words[0])
    if channel is None:
        return "-ERR Cannot locate session!\n"
    action, path = words[1], words[2]
    limit_s = int(words[3]) if len(words) > 3 and words[3].isdigit() else 0
    done = {
        "start": lambda: recording.start(channel, path, limit_s),
        "stop": lambda: recording.stop(channel, path),
        "mask": lambda: recording.mask(channel, path, True),
        "unmask": lambda: recording.mask(channel, path, False),
    }.get(action)
    if done is None:
        return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
    what = "record session" if action == "start" else _RECORD_FAULTS[action]
    return SUCCESS if done() else f"-ERR Cannot {what}!\n"


_RECORD_FAULTS = {
    "stop": "stop record session",
    "mask": "mask recording session",
    "unmask": "unmask recording session",
}


@command("uuid_transfer")
async def uuid_transfer(switch: Switch, arguments: str) -> str:
    """`<uuid> [-bleg|-both] <extension> [<dialplan>] [<context>]`."""
    words = arguments.split()
    which = words.pop(1) if words[1:2] in (["-bleg"], ["-both"]) else ""
    if len(words) < 2:
        return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
    channel = switch.find(words[0])
    if channel is None:
        return NO_CHANNEL
    partner = channel.bridge_peer or channel.partner
    if which and partner is not None:
        transfer(partner, *words[1:4])
    if which != "-bleg":
        transfer(channel, *words[1:4])
    return OK


@command("uuid_hold")
async def uuid_hold(switch: Switch, arguments: str) -> str:
    """`[off|toggle] <uuid>`."""
    words = arguments.split()
    action = words.pop(0) if words[:1] in (["off"], ["toggle"]) else "on"
    channel = switch.find(words[0]) if words else None
    if channel is None:
        return SUCCESS  # FreeSWITCH does not say that there is none
    held = not channel.held if action == "toggle" else action == "on"
    if held and channel.held:
        return "-ERR Operation failed\n"
    channel.mark_held(held)
    return SUCCESS


@command("uuid_park")
async def uuid_park(switch: Switch, arguments: str) -> str:
    """`<uuid>`: leave everything and wait."""
    channel = switch.find(arguments)
    if channel is None:
        return NO_CHANNEL
    channel.moving = True
    channel.passive_routing = False
    channel.set_state(State.PARK)
    channel.wake()
    return OK


@command("uuid_send_dtmf")
async def uuid_send_dtmf(switch: Switch, arguments: str) -> str:
    """`<uuid> <keys>[@<ms>]`: keys towards the party."""
    uuid, _, keys = arguments.partition(" ")
    channel = switch.find(uuid)
    if channel is None or channel.leg is None:
        return "-ERR Cannot locate session!\n"
    digits, _, duration = keys.partition("@")
    for digit in digits:
        channel.leg.send_dtmf(digit, int(duration) if duration.isdigit() else 100)
    return f"+OK {uuid} sent DTMF {keys}.\n"


@command("uuid_recv_dtmf")
async def uuid_recv_dtmf(switch: Switch, arguments: str) -> str:
    """`<uuid> <keys>`: as if the party had pressed them."""
    uuid, _, keys = arguments.partition(" ")
    channel = switch.find(uuid)
    if channel is None:
        return "-ERR Cannot locate session!\n"
    for digit in keys.partition("@")[0]:
        channel.on_dtmf(digit, 100, "app")
    return f"+OK {uuid} received DTMF {keys}.\n"


@command("uuid_answer")
async def uuid_answer(switch: Switch, arguments: str) -> str:
    """`<uuid>`."""
    channel = switch.find(arguments)
    if channel is None or not channel.up:
        return "-ERROR\n"
    channel.answer()
    return OK


@command("uuid_pre_answer")
async def uuid_pre_answer(switch: Switch, arguments: str) -> str:
    """`<uuid>`."""
    channel = switch.find(arguments)
    if channel is None or not channel.up:
        return "-ERROR\n"
    channel.pre_answer()
    return OK


@command("uuid_ring_ready")
async def uuid_ring_ready(switch: Switch, arguments: str) -> str:
    """`<uuid>`."""
    channel = switch.find(arguments)
    if channel is None:
        return "-ERROR\n"
    channel.ring()
    return OK
