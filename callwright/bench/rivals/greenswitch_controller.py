"""Bare greenswitch, as its README shows: `myevents`, `linger`, then one application after the other, each awaited.

Run as `python greenswitch_controller.py PORT`. Only the switch's commands are sent: no journal, no record, no log.
"""

from __future__ import annotations

import sys

from gevent import monkey

monkey.patch_all()

import greenswitch  # noqa: E402

PROMPT = "/srv/prompts/prompt.wav"
MOST_CALLS = 100_000
"""`max_connections`: no call is to be refused here."""


class Ivr:
    """answer, three variables, a prompt, a menu of one key, hangup."""

    def __init__(self, session: greenswitch.esl.OutboundSession) -> None:
        self.session = session

    def run(self) -> None:
        """What the server calls for each call."""
        try:
            self.handle_call()
        except greenswitch.esl.OutboundSessionHasGoneAway:
            self.session.stop()

    def handle_call(self) -> None:
        session = self.session
        session.myevents()
        session.linger()
        session.answer()
        for variable in ("bench_queue=sales", "bench_language=en", "bench_customer=4711"):
            session.call_command("set", variable, block=True)
        session.playback(PROMPT)
        session.play_and_get_digits(
            "1", "1", "1", "5000", "#", PROMPT, "silence_stream://100", "choice", "[0-9]", "2000", "''",
            block=True, response_timeout=None,
        )  # fmt: skip
        session.hangup()
        session.stop()


if __name__ == "__main__":
    greenswitch.OutboundESLServer(
        bind_address="127.0.0.1", bind_port=int(sys.argv[1]), application=Ivr, max_connections=MOST_CALLS
    ).listen()
