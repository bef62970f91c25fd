"""The command `callwright load`. Everything heavy is imported when it runs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from callwright.load.plan import MOST, SCENARIO, Plan, PlanError, Target, address, duration


class Duration(click.ParamType[float]):
    """60s, 500ms, 2m, 1h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        try:
            return duration(str(value))
        except PlanError as error:
            self.fail(str(error), param, ctx)


def _values(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE", context, parameter)
        found[name] = value
    return found


@click.command(
    epilog="""\b
Exit codes: 0 every call went well, 1 not, 2 wrong usage.

\b
Examples:
  callwright load                                        10 calls a second for 10 s, own system, lab switch
  callwright load --rate 20 --calls 400 --switch freeswitch
  callwright load --concurrent 50 --duration 60s --ramp 10s --chart load.svg
  callwright load --target pbx.example:5060 --to 100 --rate 5 --duration 2m --json
"""
)
@click.option("--rate", type=click.FloatRange(0, MOST, min_open=True),
              help="New calls a second.  [default: 10; with --concurrent as many as that]")  # fmt: skip
@click.option("--concurrent", type=click.IntRange(1, MOST),
              help="Keep this many calls at once: the next begins when one has ended.")  # fmt: skip
@click.option("--calls", type=click.IntRange(1, MOST), help="End after so many calls.")
@click.option("--duration", "duration_s", type=Duration(), metavar="TIME",
              help="Make new calls for so long (60s, 2m, 1h).  [default: 10s, without --calls]")  # fmt: skip
@click.option("--ramp", "ramp_s", type=Duration(), default="0s", metavar="TIME", show_default=True,
              help="Let the load rise evenly for so long.")  # fmt: skip
@click.option("--call-timeout", "call_timeout_s", type=Duration(), default="60s", metavar="TIME", show_default=True,
              help="A call that waits longer for a message has failed; so long the last calls may take.")  # fmt: skip
@click.option("--target", metavar="HOST[:PORT]", help="Whom to call.  [default: a system of our own, started for it]")
@click.option("--to", "number", metavar="NUMBER", help="The number to call; needed with --target.")
@click.option("--from", "caller", default="+420601000000", show_default=True, help="The caller's number.")
@click.option("--transport", type=click.Choice(["udp", "tcp"]), default="udp", show_default=True)
@click.option("--scenario", default=SCENARIO, show_default=True, metavar="FILE|NAME",
              help="What a caller does: a SIPp scenario of yours, or one of callwright's (docs/sipp.md).")  # fmt: skip
@click.option("--pause", "pause_s", type=Duration(), default="1s", metavar="TIME", show_default=True,
              help="What a <pause/> of the scenario means that does not say it.")  # fmt: skip
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE", callback=_values,
              help="What [NAME] in the scenario stands for; may be repeated.")  # fmt: skip
@click.option("--knock/--no-knock", default=True, show_default=True, help="Ask the target by OPTIONS first.")
@click.option("--switch", type=click.Choice(["lab", "freeswitch"]), default="lab", show_default=True, envvar="SWITCH",
              help="The switch of our own system: the lab switch, or a FreeSWITCH (FREESWITCH_BIN).")  # fmt: skip
@click.option("--state-dir", type=click.Path(file_okay=False, path_type=Path), default=None,
              help="Where our own system keeps its data and logs.  [default: a temporary directory]")  # fmt: skip
@click.option("--engine-pid", type=click.IntRange(1),
              help="With --target: measure the CPU time of this engine on this machine.")  # fmt: skip
@click.option("--switch-pid", type=click.IntRange(1), help="With --target: the same for the switch.")
@click.option("--chart", type=click.Path(dir_okay=False, path_type=Path), help="Write the chart there (.svg).")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON in place of the tables.")
def load(**given: Any) -> None:
    """Call under load with SIPp, and say what became of the calls and how long they took.

    Without --target the whole system is started on this machine, and its number answers, notes three attributes, plays
    300 ms, offers a menu of one digit that nobody presses, and hangs up; then the call records are compared too.
    Ctrl-C ends the calls and reports what came so far. docs/load.md says what the figures mean.
    """
    with failures_in_words():
        from callwright.load.run import Wishes, run

        wishes = Wishes(
            target=_target(given),
            scenario=given["scenario"],
            switch=given["switch"],
            state_dir=given["state_dir"],
            chart=given["chart"],
            as_json=given["as_json"],
            knock=given["knock"],
            pids=(given["engine_pid"], given["switch_pid"]),
        )
        names = ("rate", "concurrent", "calls", "duration_s", "ramp_s", "call_timeout_s", "caller", "values")
        plan = Plan(**{name: given[name] for name in names}, pause_ms=round(given["pause_s"] * 1000))
        sys.exit(run(plan, wishes))


@contextlib.contextmanager
def failures_in_words() -> Iterator[None]:
    """What the user can mend ends the command with its words: 2 for wrong usage, 1 for the rest."""
    from callwright.load.chart import ChartError
    from callwright.load.sipp import LoadFailed
    from sipp_scenarios.runner import SippError

    try:
        yield
    except (PlanError, ChartError) as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    except (LoadFailed, SippError) as error:
        click.echo(f"{click.style('failed:', fg='red')} {error}", err=True)
        sys.exit(1)


def _target(given: dict[str, Any]) -> Target | None:
    """Raises PlanError."""
    if given["target"] is not None:
        context = click.get_current_context()
        for option, name in (("--switch", "switch"), ("--state-dir", "state_dir")):
            # SWITCH may be set for other commands
            if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise PlanError(f"{option} is for our own system, and --target names another; leave one of them out")
        if given["number"] is None:
            raise PlanError("--target needs --to: the number to call there")
        return Target(*address(given["target"]), given["number"], given["transport"])
    for option, name in (("--to", "number"), ("--engine-pid", "engine_pid"), ("--switch-pid", "switch_pid")):
        if given[name] is not None:
            raise PlanError(f"{option} is for --target; without it our own system is called, which is measured anyway")
    if given["transport"] != "udp":
        raise PlanError("--transport tcp is for --target; our own system is called over UDP")
    return None
