"""`python -m labswitch --conf DIR`: the stand-in for FreeSWITCH where none is installed."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from labswitch.config import ConfigError, load
from labswitch.server import READY_FILE, LabSwitch

_DESCRIPTION = """\
The callwright lab switch: a small stand-in for FreeSWITCH, for trying callwright out and for its tests.

It speaks real SIP and RTP (PCMA, PCMU) and the event socket of FreeSWITCH, and reads the same configuration directory:
freeswitch.xml with event_socket.conf, sofia.conf, switch.conf, directory and dialplan.

It is not a FreeSWITCH and not for production: it knows only what a call-control engine needs, has no TLS, no SRTP
and no NAT traversal, and one process carries some dozens of calls.
"""

_EPILOG = f"""\
With --state the file {READY_FILE} appears in that directory once everything listens; it holds the addresses in use.
SIGTERM and SIGINT hang up every call and end the process.
"""


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m labswitch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--conf",
        required=True,
        type=Path,
        metavar="DIR",
        help="configuration directory, as `freeswitch -conf` takes it",
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="where to write what others want to know; made if missing"
    )
    parser.add_argument(
        "--log-level", default="warning", choices=["debug", "info", "warning", "error"], help="default: warning"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop: 0; 1 when it can't start, with the reason on stderr."""
    given = arguments(argv)
    logging.basicConfig(level=given.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_run(given))
    except (ConfigError, OSError) as error:
        print(f"labswitch: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(given: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    switch = LabSwitch(load(given.conf), given.state)
    await switch.start()
    await stop.wait()
    await switch.stop()


if __name__ == "__main__":
    sys.exit(main())
