"""Captures the exchanges of `sip/` anew: `FREESWITCH_BIN=… python -m tests.captured.record_sip [NAME…]`.

The requests are those that the files hold; what a real FreeSWITCH answers to each is written behind it. A new exchange
begins as a file with requests only (and, where a later request is part of the call, an answer whose tag that one has).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.captured.answering import answering_switch
from tests.captured.sip_exchange import CALLER, SIP, SWITCH, Packet, exchange, groups, line, write

QUIET_S = 0.45
"""So long nothing has come: all answers are there. FreeSWITCH repeats one after half a second."""
REPEATED_S = {"invite_unacknowledged": 0.8}
"""Exchanges of which a repetition is to be seen."""


def capture(name: str) -> None:
    """One exchange."""
    packets: list[Packet] = []
    with line(SWITCH, CALLER[1]) as caller:
        for request, answers in groups(exchange(name)):
            caller.send(request)
            expected = next((answer for answer in reversed(answers) if answer.to_tag), None)
            packets.append(request)
            try:
                while True:
                    packets.append(caller.receive(REPEATED_S.get(name, QUIET_S), expected))
            except TimeoutError:
                pass
    write(name, packets)


def main() -> None:
    """All of them, or those that are named."""
    with tempfile.TemporaryDirectory() as base, answering_switch("freeswitch", Path(base), SWITCH):
        for name in sys.argv[1:] or sorted(path.stem for path in SIP.glob("*.sip")):
            capture(name)


if __name__ == "__main__":
    main()
