"""The command line. Everything heavy is imported by the command that needs it, so that `--help` answers at once.

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong configuration.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callwright.agent import agent
from callwright.bench.command import bench
from callwright.doctor.command import doctor
from callwright.flow import flow
from callwright.listing import ListingGroup
from callwright.load.command import load as load_command
from callwright.replay import replay
from callwright.simulate.command import simulate
from callwright.sounds import prompt, voice
from callwright.why import why

if TYPE_CHECKING:
    from callwright.local.stack import SwitchKind
    from engine.config import Config

EX_CONFIG = 78
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_directory = click.Path(file_okay=False, path_type=Path)
_switch = click.option(
    "--switch",
    type=click.Choice(["lab", "freeswitch"]),
    default="lab",
    show_default=True,
    envvar="SWITCH",
    help="The switch to run: the lab switch, or a FreeSWITCH from FREESWITCH_BIN or the PATH.",
)
_state = click.option(
    "--state-dir",
    type=_directory,
    default=None,
    help="Where data, logs and configuration go.  [default: engine.state_dir, else .callwright]",
)


def main() -> None:
    """The command `callwright`."""
    try:
        cli(prog_name="callwright")
    except Exception as error:
        code = _known(error)
        if code is None:
            raise
        sys.exit(code)


def _known(error: Exception) -> int | None:
    """The exit code of an error that the user can mend, whose words are printed; None for a fault of ours."""
    from callwright.local.freeswitch import FreeSwitchMissing
    from callwright.local.ports import NoPortFree
    from callwright.local.process import ProcessFailed
    from callwright.local.service import StateInUse
    from callwright.local.wheels import WheelMissing
    from dialplan.faults import SettingsError
    from engine.config import ConfigError
    from engine.store.errors import StoreUnavailable

    if isinstance(error, ConfigError):
        for fault in error.faults:
            click.echo(fault, err=True)
        return EX_CONFIG
    mendable = (ProcessFailed, StateInUse, WheelMissing, FreeSwitchMissing, NoPortFree, SettingsError, StoreUnavailable)
    if isinstance(error, mendable):
        click.echo(f"{click.style('failed:', fg='red')} {error}", err=True)
        return 1
    return None


def _load(context: click.Context) -> Config:
    from engine.config import load

    return load(context.obj)


def _python(*arguments: str) -> None:
    """Become another program of this interpreter: one process for whoever supervises us, with nothing imported yet."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell is what we want


@click.group(
    cls=ListingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
Examples:
  callwright doctor                      what is missing on this machine
  callwright demo                        a main line and a queue, real calls, explained
  callwright up                          the whole system on this machine, until Ctrl-C
  callwright --config /etc/callwright/callwright.toml engine
""",
)
@click.version_option(package_name="callwright")
@click.option(
    "--config",
    type=_file,
    envvar="CALLWRIGHT_CONFIG",
    help="Configuration file.  [default: callwright.toml where there is one]",
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Call control and IVR for contact centres on FreeSWITCH."""
    context.obj = config


# -- the processes of a running system ------------------------------------------------------------------------------


@cli.command()
@click.pass_context
def engine(context: click.Context) -> None:
    """Run the calls: the process that the switch's `socket` action connects to.

    SIGTERM drains: no new calls, running calls go on for engine.drain_timeout_s, then another engine takes them over.
    """
    _python("-m", "callwright.engine_process", *(["--config", str(context.obj)] if context.obj else []))


@cli.command()
@click.option("--workers", default=2, show_default=True, help="Processes that answer requests.")
@click.option("--threads", default=8, show_default=True, help="Requests at once in each of them.")
@click.pass_context
def api(context: click.Context, workers: int, threads: int) -> None:
    """Serve the admin API, under gunicorn, at api.listen."""
    config = _load(context)
    config.require("database.url", "redis.url", "s3.endpoint_url")
    if context.obj:
        os.environ["CALLWRIGHT_CONFIG"] = str(context.obj.absolute())
    _python(
        *("-m", "gunicorn", "--bind", str(config.api.listen), "--worker-class", "gthread"),
        *("--workers", str(workers), "--threads", str(threads), "--preload", "--no-control-socket"),
        *("--log-level", config.log.level, "admin_api.wsgi:application"),
    )


@cli.command()
@click.pass_context
def recordings(context: click.Context) -> None:
    """Bring recordings from the switch's disk to object storage, repaired where a writer died."""
    config = _load(context)
    from recordings import worker

    sys.exit(worker.run(config))


@cli.command()
@click.pass_context
def speech(context: click.Context) -> None:
    """Speak the texts of calls and flows into the prompts directory."""
    config = _load(context)
    from recordings.speech import process

    sys.exit(process.run(config))


@cli.command()
@click.option("--conf", type=_directory, required=True, help="The directory that `dialplan render` wrote.")
@click.option("--state", type=_directory, required=True, help="Where the switch keeps its own files.")
def lab(conf: Path, state: Path) -> None:
    """Run the lab switch, the stand-in for FreeSWITCH: real SIP and RTP, the same event socket, the same files."""
    _python("-m", "labswitch", "--conf", str(conf), "--state", str(state))


# -- everything on one machine ----------------------------------------------------------------------------------------


@cli.command(
    epilog="""\b
Examples:
  callwright up                          everything from wheels, on loopback
  callwright up --switch freeswitch      with a real FreeSWITCH
  CALLWRIGHT_DATABASE__URL=postgresql://me@db/callwright callwright up
                                         with a PostgreSQL that runs already
"""
)
@_switch
@_state
@click.option("--engines", default=1, show_default=True, type=click.IntRange(1, 9), help="How many engines.")
@click.pass_context
def up(context: click.Context, switch: SwitchKind, state_dir: Path | None, engines: int) -> None:
    """Run the whole system on this machine until Ctrl-C: services, switch, engines, API, recordings.

    What the configuration names (database.url, redis.url, s3.endpoint_url, switches) is used as it is; the rest is
    started here, on loopback ports, its data under the state directory.
    """
    from callwright.up import run

    sys.exit(run(_load(context), switch=switch, state_dir=state_dir, engines=engines))


@cli.command()
@_switch
@_state
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON also where a terminal shows it.")
@click.pass_context
def demo(context: click.Context, switch: SwitchKind, state_dir: Path | None, as_json: bool) -> None:
    """Make real calls to a main line and to a queue, and show what happened to each, node by node.

    Where standard output is no terminal its last line is the same as one JSON object. Exit code 0 only if everything
    was as it should be.
    """
    from callwright import demo as shown

    as_json = as_json or not sys.stdout.isatty()
    sys.exit(shown.run(_load(context), switch=switch, state_dir=state_dir, as_json=as_json))


# -- tools -----------------------------------------------------------------------------------------------------------


@cli.group()
def db() -> None:
    """The database."""


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Bring the database's schema to this version. Safe to run twice, and by two at once."""
    config = _load(context)
    config.require("database.url")
    from engine.store import migrate

    migrate.upgrade(config.database.dsn)
    click.echo(f"the database stands at {migrate.head()}")


@cli.group()
def dialplan() -> None:
    """FreeSWITCH's configuration."""


@dialplan.command(
    epilog="""\b
Example:
  callwright dialplan render --out /etc/freeswitch --switch-dir /var/lib/freeswitch
"""
)
@click.option("--out", type=_directory, required=True, help="FreeSWITCH's configuration directory.")
@click.option("--switch-dir", type=_directory, default=Path("/var/lib/freeswitch"), show_default=True,
              help="Where FreeSWITCH keeps its logs, databases and run files.")  # fmt: skip
@click.pass_context
def render(context: click.Context, out: Path, switch_dir: Path) -> None:
    """Write FreeSWITCH's configuration from ours and from the agents and trunks in the database.

    Prints what changed. The same input gives the same files; passwords do not show in what is printed.
    """
    config = _load(context)
    config.require("database.url", "dialplan.event_socket_password")
    from callwright.rendering import render_from_database

    click.echo(render_from_database(config, out, switch_dir) or "nothing changed")


@cli.command()
def requirements() -> None:
    """Print each requirement with the tests that show it. Runs in a checkout, collects and runs nothing."""
    from callwright.requirements import run

    sys.exit(run(Path.cwd()))


@cli.group("config")
def configuration() -> None:
    """The configuration."""


@configuration.command("check")
@click.pass_context
def config_check(context: click.Context) -> None:
    """Check file and environment; print every fault."""
    _load(context)
    click.echo("the configuration is in order")


@configuration.command("show")
@click.pass_context
def config_show(context: click.Context) -> None:
    """Print what is in force, secrets hidden."""
    click.echo(json.dumps(_shown(_load(context)), indent=2, ensure_ascii=False))


@configuration.command("reference")
def config_reference() -> None:
    """Print every field with its default, as in docs/operations.md."""
    from callwright import reference

    click.echo(reference.config_reference())


for _command in (agent, bench, doctor, flow, load_command, prompt, replay, simulate, voice, why):
    cli.add_command(_command)


def _shown(value: Any) -> Any:
    from pydantic import BaseModel, SecretStr

    from engine.config import Address

    if isinstance(value, Address | Path | SecretStr):
        return str(value)
    if isinstance(value, BaseModel):
        return {name: _shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    return value


if __name__ == "__main__":
    main()
