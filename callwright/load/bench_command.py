"""The command `callwright bench call`. Everything heavy is imported when it runs."""

from __future__ import annotations

import sys

import click

from callwright.load.command import failures_in_words


@click.command(
    epilog="""\b
Exit codes: 0 every goal measured and met, 1 calls failed or a goal missed, 3 a goal not measured (Lua left out).

\b
Examples:
  FREESWITCH_BIN=/usr/bin/freeswitch callwright bench call
  callwright bench call --rate 40 --calls 400 --rounds 5 --json > call.json
"""
)
@click.option("--rate", default=20.0, show_default=True, type=click.FloatRange(0.1, 1000), help="New calls a second.")
@click.option("--calls", default=200, show_default=True, type=click.IntRange(1), help="Calls of a round, of each side.")
@click.option("--rounds", default=2, show_default=True, type=click.IntRange(1, 99), help="Rounds, turn by turn.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON in place of the table.")
def call(rate: float, calls: int, rounds: int, as_json: bool) -> None:
    """Compare a call served by our engine with the same call in the switch's own Lua, on one real FreeSWITCH.

    Answer, three variables, 300 ms of prompt, a menu of one digit that nobody presses, hangup: SIPp calls both turn by
    turn. Our engine does all its work meanwhile, journal and call record included. Starts its own system, on loopback.
    """
    with failures_in_words():
        from callwright.load.bench_call import run

        sys.exit(run(rate=rate, calls=calls, rounds=rounds, as_json=as_json))


@click.command(
    epilog="""\b
Exit codes: 0 the goal measured and met, 1 missed, or calls failed, 3 not measured.

\b
Examples:
  FREESWITCH_BIN=/usr/bin/freeswitch callwright bench queue
  callwright bench queue --waiting 200
  callwright bench queue --rounds 300 --json > queue.json
"""
)
@click.option("--rounds", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Rounds of each kind.")
@click.option("--waiting", default=3, show_default=True, type=click.IntRange(2, 200), help="Callers at once.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON in place of the table.")
def queue(rounds: int, waiting: int, as_json: bool) -> None:
    """Measure how soon an agent who becomes free is rung for a caller who waits, on one real FreeSWITCH.

    One queue, one agent. He becomes free by the API (`ready`), then by the end of his calls: from the change of his
    state to the INVITE at his phone, and where the time goes. Starts its own system, on loopback.
    """
    with failures_in_words():
        from callwright.load.bench_queue import BenchFailed, run

        try:
            sys.exit(run(rounds=rounds, waiting=waiting, as_json=as_json))
        except BenchFailed as failed:
            click.echo(f"{click.style('failed:', fg='red')} {failed}", err=True)
            sys.exit(1)
