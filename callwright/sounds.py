"""The commands around sounds: `callwright prompt` and `callwright voice`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callwright.listing import ListingGroup

if TYPE_CHECKING:
    from callwright.client import Client
    from recordings.prompts import Prompt

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_url = click.option("--url", help="The admin API.  [default: api.listen of the configuration]")
_key = click.option(
    "--key",
    envvar="CALLWRIGHT_API_KEY",
    show_envvar=True,
    help="A key of the admin API.  [default: the first of api.keys]",
)


@click.group(cls=ListingGroup)
def prompt() -> None:
    """Prompts: check sound files, upload them, see which flows play them."""


@prompt.command()
@click.argument("files", nargs=-1, required=True, type=_file)
def check(files: tuple[Path, ...]) -> None:
    """Read sound FILES as an upload would, and tell what a person should know about them.

    Exit code 1 when one of them would be refused.
    """
    from recordings.conversion import convert
    from recordings.prompts import PromptError

    failed = False
    for file in files:
        try:
            made = convert(file.read_bytes())
        except PromptError as error:
            failed = True
            click.echo(f"{file}: refused: {error}")
            continue
        click.echo(f"{file}: {_told(made)}")
        for warning in made.warnings:
            click.echo(f"{file}: warning: {warning}")
    sys.exit(1 if failed else 0)


@prompt.command()
@click.argument("file", type=_file)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def convert(file: Path, out: Path) -> None:
    """Write FILE to OUT as the switch plays it: WAV, 8 kHz, trimmed and levelled. For pieces of a voice."""
    from recordings import sound
    from recordings.conversion import convert as converted
    from recordings.prompts import PromptError

    try:
        made = converted(file.read_bytes())
    except PromptError as error:
        raise click.ClickException(f"{file}: {error}") from None
    sound.put(made.wav, out)
    click.echo(f"{out}: {_told(made)}")
    for warning in made.warnings:
        click.echo(f"{file}: warning: {warning}")


@prompt.command(
    epilog="""\b
Example:
  callwright prompt upload vitejte.m4a welcome cs
and in the flow: "prompts": {"hello": {"cs": "welcome/cs.wav"}}
"""
)
@click.argument("file", type=_file)
@click.argument("name")
@click.argument("language")
@_url
@_key
@click.pass_context
def upload(context: click.Context, file: Path, name: str, language: str, url: str | None, key: str | None) -> None:
    """Upload FILE as the prompt NAME in LANGUAGE. Calls hear it from now on."""
    from callwright.client import ApiError, path

    try:
        made = _client(context, url, key).upload(path("prompts", name, language), file.read_bytes(), file.name)
    except ApiError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"the admin API does not answer: {error}") from None
    newest = made["versions"][0]
    click.echo(f"{made['path']} plays version {made['active_version']} ({newest['duration_ms'] / 1000:.1f} s)")
    for warning in newest["warnings"]:
        click.echo(f"warning: {warning}")


@prompt.command("list")
@_url
@_key
@click.pass_context
def list_prompts(context: click.Context, url: str | None, key: str | None) -> None:
    """Print all prompts: path, length, and the active flows that play it."""
    from callwright.client import ApiError

    try:
        found = _client(context, url, key).get("/prompts")["prompts"]
    except ApiError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"the admin API does not answer: {error}") from None
    for each in found:
        played = next(item for item in each["versions"] if item["version"] == each["active_version"])
        click.echo(f"{each['path']}  {played['duration_ms'] / 1000:.1f} s  {', '.join(each['used_by']) or 'not used'}")


@click.group(cls=ListingGroup)
def voice() -> None:
    """Voices: recorded pieces from which numbers, dates and so on are put together."""


@voice.command("check")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check_voice(directory: Path) -> None:
    """Tell what the voice in DIRECTORY lacks. Exit code 1 when it lacks something."""
    from recordings.speech.voices import lacks

    told = lacks(directory)
    found = told.unsaid + told.spoilt
    for fault in found:
        click.echo(f"{directory}: {fault}")
    if not found:
        click.echo(f"{directory}: every piece is recorded")
    sys.exit(1 if found else 0)


@voice.command()
@click.argument("name")
@click.option("--language", required=True, help="The voice's language, as cs.")
def manifest(name: str, language: str) -> None:
    """Print the manifest of a voice NAME: every piece with its file and the text to record in it."""
    import json

    from ivr_flows import say
    from ivr_flows.say import voice as voices

    if language not in say.LANGUAGES:
        raise click.ClickException(f"there is no grammar for {language!r}; there are: {', '.join(say.LANGUAGES)}")
    click.echo(json.dumps(voices.manifest(name, language), indent=1, ensure_ascii=False))


def _told(made: Prompt) -> str:
    return (
        f"{made.source_format} {made.source_rate_hz} Hz, {made.duration_ms / 1000:.1f} s, {made.loudness_lufs:g} LUFS "
        f"({made.gain_db:+g} dB, {made.trimmed_ms} ms of silence cut off)"
    )


def _client(context: click.Context, url: str | None, key: str | None) -> Client:
    from callwright.client import Client
    from engine.config import load

    config = load(context.obj)
    if key is None and not config.api.keys:
        raise click.UsageError("no key: give --key, or put one into api.keys of the configuration")
    return Client(url or f"http://{config.api.listen}", key or config.api.keys[0].get_secret_value(), timeout_s=60)
