"""`callwright flow list`, `upload`, `activate` and `rollback`: the versions of a running system, over its API."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from callwright.flow.documents import client, read_document, remote


@contextmanager
def refusals() -> Iterator[None]:
    """Says what the API refused, with the findings of a flow, and ends with 1."""
    from callwright.client import ApiError
    from ivr_flows import Finding

    try:
        yield
    except ApiError as error:
        click.echo(f"{click.style('refused:', fg='red')} {error}", err=True)
        for each in error.problem.get("findings", []):
            finding = Finding(**{**each, "path": tuple(each.get("path", ()))})
            click.echo(f"  {finding}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{click.style('failed:', fg='red')} the API doesn't answer: {error}", err=True)
        sys.exit(1)


@click.command("list")
@click.argument("flow", required=False)
@click.option("--json", "as_json", is_flag=True, help="For machines: what the API answers.")
@remote
@click.pass_context
def list_flows(context: click.Context, flow: str | None, as_json: bool, api: str | None, key: str | None) -> None:
    """List all flows, or the versions of one FLOW with who uploaded and activated them."""
    from callwright.client import path

    with refusals():
        found = client(context, api, key).get(path("flows", flow) if flow else "/flows")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    elif flow is None:
        for each in found["flows"]:
            active = each["active_version"] or "none active"
            click.echo(f"{each['id']:<24} {each['kind']:<11} {active:<17} {each['name']}")
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    click.echo(f"{found['id']} ({found['kind']}): {found['name']}\n\nversions, newest first")
    for each in found["versions"]:
        findings = len(each["findings"])
        told = f", {findings} finding{'' if findings == 1 else 's'}" if findings else ""
        click.echo(
            f"  {each['version']}  {each['state']:<8}  uploaded {each['uploaded_at']} by {each['uploaded_by']}{told}"
        )
    click.echo("\nactivations, newest first")
    for each in found["activations"]:
        click.echo(f"  {each['version']}  activated {each['activated_at']} by {each['activated_by']}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--draft", is_flag=True, help="Keep it even with errors, to go on with it later; it can't be activated.")
@click.option("--activate", "at_once", is_flag=True, help="Make it the version that new calls get.")
@remote
@click.pass_context
def upload(context: click.Context, file: Path, draft: bool, at_once: bool, api: str | None, key: str | None) -> None:
    """Upload a flow FILE as a version. Nothing changes for callers before it is activated."""
    from callwright.client import path

    if draft and at_once:
        raise click.UsageError("a draft can't be activated: give one of --draft and --activate")
    document = read_document(file)
    with refusals():
        asked = client(context, api, key)
        done = asked.post("/flows?draft=true" if draft else "/flows", document)
        _tell(done["findings"])
        click.echo(
            f"{done['flow']}@{done['version']} {done['state']}{'' if done['created'] else ' (was there already)'}"
        )
        if at_once:
            _activated(asked.put(path("flows", done["flow"], "active"), {"version": done["version"]}))


def _tell(findings: list[dict[str, Any]]) -> None:
    for finding in findings:
        click.echo(f"{finding['severity']} {finding['code']}: {finding['message']}", err=True)


def _activated(found: dict[str, Any]) -> None:
    click.echo(f"{found['id']}@{found['active_version']} is active")


@click.command()
@click.argument("flow")
@click.argument("version")
@remote
@click.pass_context
def activate(context: click.Context, flow: str, version: str, api: str | None, key: str | None) -> None:
    """Make VERSION of FLOW the one that new calls get. Calls that run keep theirs."""
    from callwright.client import path

    with refusals():
        found = client(context, api, key).put(path("flows", flow, "active"), {"version": version})
    _tell(found["findings"])
    _activated(found)


@click.command()
@click.argument("flow")
@remote
@click.pass_context
def rollback(context: click.Context, flow: str, api: str | None, key: str | None) -> None:
    """Make the version of FLOW active again that was active before the one that is now.

    Done again, it goes one version further back: a version that was left by going back never returns by it.
    """
    from callwright.client import path

    with refusals():
        asked = client(context, api, key)
        active = asked.get(path("flows", flow))["active_version"]
        if active is None:
            raise click.ClickException(f"no version of {flow} is active")
        found = asked.post(path("flows", flow, "rollback"), {"from": active})
    _tell(found["findings"])
    _activated(found)
