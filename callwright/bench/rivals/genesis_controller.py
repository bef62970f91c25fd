"""Genesis, as its documentation shows: an `Outbound` server with its events on, each step awaited, on uvloop.

Run as `python genesis_controller.py PORT` by the Python of an environment of its own (`callwright.bench.environment`),
so it imports nothing of ours. Only the switch's commands are sent: no journal, no record. Metrics and traces are left
as Genesis has them without an exporter, its log level is that of its command line (info).
"""

from __future__ import annotations

import asyncio
import logging
import sys

from genesis import Outbound, Session, use_uvloop
from genesis.exceptions import ConnectionError, SessionGoneAway
from genesis.observability import logger

PROMPT = "/srv/prompts/prompt.wav"


async def ivr(session: Session) -> None:
    """answer, three variables, a prompt, a menu of one key, hangup."""
    channel = session.channel
    try:
        await channel.answer()
        for variable in ("bench_queue=sales", "bench_language=en", "bench_customer=4711"):
            await session.sendmsg("execute", "set", variable, block=True)
        await channel.playback(PROMPT)
        await channel.play_and_get_digits(
            tries=1, timeout=5000, terminators="#", file=PROMPT, minimal=1, maximum=1, regexp="[0-9]",
            var_name="choice", invalid_file="silence_stream://100", digit_timeout=2000,
        )  # fmt: skip
        await channel.hangup()
    except (SessionGoneAway, ConnectionError):
        return


if __name__ == "__main__":
    logger.setLevel(logging.INFO)
    use_uvloop()
    asyncio.run(Outbound(ivr, "127.0.0.1", int(sys.argv[1])).start())
