"""answer, pre_answer, ring_ready, hangup, sleep, park, break, transfer, log, info."""

from __future__ import annotations

import logging

from labswitch.apps import app
from labswitch.causes import to_cause
from labswitch.channel import Channel
from labswitch.execute import break_app, run_messages
from labswitch.park import park
from labswitch.transfer import transfer

log = logging.getLogger("labswitch.apps")


@app("answer")
async def answer(channel: Channel, data: str) -> None:
    """200 OK to the caller."""
    channel.answer()


@app("pre_answer")
async def pre_answer(channel: Channel, data: str) -> None:
    """183 with audio to the caller."""
    channel.pre_answer()


@app("ring_ready")
async def ring_ready(channel: Channel, data: str) -> None:
    """180 to the caller."""
    channel.ring()


@app("hangup")
async def hangup(channel: Channel, data: str) -> None:
    """End the call, `NORMAL_CLEARING` unless a cause is given."""
    channel.hangup(to_cause(data) if data else "NORMAL_CLEARING")


@app("sleep")
async def sleep(channel: Channel, data: str) -> None:
    """Wait `data` milliseconds. A key ends it and stays in the buffer, unless `sleep_eat_digits` is set."""
    clock = channel.switch.clock
    until = clock.monotonic() + int(data or 0) / 1000
    eats = channel.variables.get("sleep_eat_digits") == "true"
    while channel.ready and clock.monotonic() < until - 1e-6:
        if channel.stop_app:
            channel.stop_app = False
            return
        await run_messages(channel)
        if not channel.ready:
            return
        if eats:
            channel.take_key()
        elif channel.keys:
            return
        await channel.frame()


@app("park")
async def park_app(channel: Channel, data: str) -> None:
    """Do nothing until told otherwise."""
    await park(channel)


@app("break")
async def break_(channel: Channel, data: str) -> None:
    """End the application inside which this one runs; `all` also drops what waits."""
    break_app(channel, all_of_it=data == "all")


@app("transfer")
async def transfer_app(channel: Channel, data: str) -> None:
    """`<extension> [XML] [<context>]`: leave everything and run another extension."""
    words = data.split()
    if words and words[0] in {"-bleg", "-both"}:
        log.warning("transfer %s is not supported here", words[0])
        return
    if words:
        transfer(channel, words[0], *words[1:3])


@app("sched_transfer")
async def sched_transfer(channel: Channel, data: str) -> None:
    """`[+]<seconds> <extension> [XML] [<context>]`: transfer later, `+` from now, else at that time since 1970."""
    words = data.split()
    when = words[0].removeprefix("+") if words else ""
    if len(words) < 2 or not when.isdigit():
        log.error("sched_transfer %s: not a time and an extension", data)
        return
    after_s = int(when) if data.startswith("+") else int(when) - channel.switch.clock.now_us() / 1e6

    def due() -> None:
        if channel.up:
            transfer(channel, *words[1:4])

    number = channel.switch.schedule.add(after_s, channel.uuid, due)
    channel.set("last_sched_id", str(number))


@app("sched_cancel")
async def sched_cancel(channel: Channel, data: str) -> None:
    """`[<number>|<group>]`: take back what is scheduled; without an argument everything of this channel."""
    channel.switch.schedule.cancel(data or channel.uuid)


@app("log", after_hangup=True)
async def log_app(channel: Channel, data: str) -> None:
    """`<level> <text>`, or only text."""
    level, _, text = data.partition(" ")
    number = logging.getLevelNamesMapping().get(level.upper())
    log.log(number or logging.INFO, "%s: %s", channel.name, text if number else data)


@app("info", after_hangup=True)
async def info(channel: Channel, data: str) -> None:
    """Every variable to the log."""
    for name, value in channel.variables.items():
        log.info("%s: %s=%r", channel.name, name, value)
