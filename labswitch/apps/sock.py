"""socket: hand the call to a controller that listens somewhere."""

from __future__ import annotations

import asyncio
import logging

from labswitch.apps import app
from labswitch.channel import Channel
from labswitch.config import is_true
from labswitch.esl import Connection
from labswitch.execute import run_messages
from labswitch.park import park
from labswitch.state import State

log = logging.getLogger("labswitch.apps")

_DEFAULT_PORT = 8084


@app("socket")
async def socket(channel: Channel, data: str) -> None:
    """`<host>:<port>[|<host>:<port>...] [async] [full]`: the first that accepts controls the call from its park.

    Connections here are always asynchronous. When all refuse, or when the controller goes away, the dialplan goes on.
    """
    words = data.split()
    streams = await _open(channel, words[0].split("|")) if words else None
    if streams is None:
        log.error("%s: no controller at %s", channel.name, data)
        return
    connection = Connection(channel.switch, *streams, channel=channel, full="full" in words[1:])
    task = asyncio.get_running_loop().create_task(connection.serve())
    channel.switch.jobs.add(task)
    task.add_done_callback(channel.switch.jobs.discard)
    while channel.ready and not connection.finished and not connection.connected:
        await channel.pulse()
    await park(channel)
    await run_messages(channel)
    resume = connection.resume or is_true(channel.variables.get("socket_resume"))
    if resume and channel.state is State.RESET and not channel.moving:
        channel.set_state(State.EXECUTE)


async def _open(channel: Channel, hosts: list[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    for host in hosts:
        name, _, port = host.rpartition(":") if ":" in host else (host, "", "")
        channel.set("socket_host", name)
        try:
            return await channel.switch.connect(name, int(port or _DEFAULT_PORT))
        except (OSError, ValueError) as error:
            log.warning("%s: %s: %s", channel.name, host, error)
    return None
