"""`callwright agent`: what agents do now, and changes of it, over the API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from callwright.flow.documents import client, remote
from callwright.flow.versions import refusals
from callwright.listing import ListingGroup, Row, columns

_json = click.option("--json", "as_json", is_flag=True, help="For machines: what the API answers.")
_queue = click.option("--queue", help="One of his queues.  [default: all]")
_forced = click.option("--forced", is_flag=True, help="As a supervisor: also where he may not choose single queues.")
_LONGEST_PAGE = 200


@click.group(
    cls=ListingGroup,
    epilog="""\b
Examples:
  callwright agent list
  callwright agent login alice --queue sales
  callwright agent break alice --reason lunch --private
  callwright agent wrap-up alice --left 30           half a minute more
  callwright agent events alice --most 20
""",
)
def agent() -> None:
    """Agents at work: who is ready, on a call, on a break; log in, log out, break, wrap-up."""


@agent.command("list")
@_json
@remote
@click.pass_context
def list_agents(context: click.Context, as_json: bool, api: str | None, key: str | None) -> None:
    """List what all agents do now."""
    with refusals():
        found = client(context, api, key).get("/agents/states")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    elif not found["agents"]:
        click.echo("there are no agents; PUT /agents/<id> sets one up")
    else:
        _show([_HEADINGS, *(_row(each) for each in found["agents"])])


@agent.command()
@click.argument("id")
@_queue
@_forced
@_json
@remote
@click.pass_context
def login(
    context: click.Context, id: str, queue: str | None, forced: bool, as_json: bool, api: str | None, key: str | None
) -> None:
    """Log the agent ID in to his queues."""
    _tell(context, id, "log-in", {"queue": queue, "forced": forced}, as_json, api, key)


@agent.command()
@click.argument("id")
@_queue
@_forced
@_json
@remote
@click.pass_context
def logout(
    context: click.Context, id: str, queue: str | None, forced: bool, as_json: bool, api: str | None, key: str | None
) -> None:
    """Log the agent ID out of his queues; in a call it holds when the call is over."""
    _tell(context, id, "log-out", {"queue": queue, "forced": forced}, as_json, api, key)


@agent.command()
@click.argument("id")
@_json
@remote
@click.pass_context
def ready(context: click.Context, id: str, as_json: bool, api: str | None, key: str | None) -> None:
    """End the break or the wrap-up of the agent ID."""
    _tell(context, id, "ready", {}, as_json, api, key)


@agent.command("break")
@click.argument("id")
@click.option("--reason", required=True, help="Why, as lunch or training.")
@click.option("--private", is_flag=True, help="His own time, not work's.")
@_json
@remote
@click.pass_context
def take_break(
    context: click.Context, id: str, reason: str, private: bool, as_json: bool, api: str | None, key: str | None
) -> None:
    """Give the agent ID a break, at once or after his call."""
    body = {"reason": reason, "kind": "private" if private else "work"}
    _tell(context, id, "break", body, as_json, api, key)


@agent.command("wrap-up")
@click.argument("id")
@click.option(
    "--left", required=True, type=click.IntRange(0, 3600), metavar="S", help="Seconds from now on; 0 ends it."
)
@_json
@remote
@click.pass_context
def wrap_up(context: click.Context, id: str, left: int, as_json: bool, api: str | None, key: str | None) -> None:
    """Shorten or extend the wrap-up of the agent ID."""
    _tell(context, id, "wrap-up", {"left_s": left}, as_json, api, key)


@agent.command()
@click.argument("id")
@click.option("--most", default=50, show_default=True, type=click.IntRange(1, _LONGEST_PAGE), help="How many.")
@_json
@remote
@click.pass_context
def events(context: click.Context, id: str, most: int, as_json: bool, api: str | None, key: str | None) -> None:
    """List what happened to the agent ID, newest first."""
    from callwright.client import path

    with refusals():
        found = client(context, api, key).get(path("agents", id, "events"), limit=str(most))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    elif not found["events"]:
        click.echo(f"nothing has happened to {id} yet")
    else:
        _show([("at", "what", "from", "to", "reason", "call", "queue"), *(_event(each) for each in found["events"])])


def _tell(
    context: click.Context,
    id: str,
    what: str,
    body: Mapping[str, Any],
    as_json: bool,
    api: str | None,
    key: str | None,
) -> None:
    from callwright.client import path

    with refusals():
        found = client(context, api, key).post(path("agents", id, what), body)
    click.echo(json.dumps(found, ensure_ascii=False) if as_json else _sentence(found))


_HEADINGS = ("agent", "state", "for", "reason", "phone", "calls", "call", "queue", "logged in to")


def _row(state: Mapping[str, Any]) -> Row:
    return (
        state["id"],
        state["state"],
        _for(state["since"]),
        _reason(state),
        "yes" if state["reachable"] else "no",
        str(state["calls"]),
        state["call"] or "-",
        state["queue"] or "-",
        ", ".join(state["queues"]) or "-",
    )


def _reason(state: Mapping[str, Any]) -> str:
    if state["on_break"]:
        return _break(state["on_break"])
    if _leaves(state):
        return "then logged out"
    return f"then {_break(state['break_next'])}" if state["break_next"] else "-"


def _leaves(state: Mapping[str, Any]) -> bool:
    """Whether he has logged out, and a call still holds him."""
    return state["state"] != "logged_out" and not state["queues"]


def _break(found: Mapping[str, Any]) -> str:
    return f"{found['reason']} ({found['kind']})"


def _event(event: Mapping[str, Any]) -> Row:
    reason = _break(event) if event["reason"] else "-"
    states = (event["from_state"], event["to_state"])
    return (event["at"], event["what"], *states, reason, event["call"] or "-", event["queue"] or "-")


def _sentence(state: Mapping[str, Any]) -> str:
    queues = f", logged in to {', '.join(state['queues'])}" if state["queues"] else ""
    why = f", {_break(state['on_break'])}" if state["on_break"] else ""
    then = f", break {_break(state['break_next'])} afterwards" if state["break_next"] else ""
    if _leaves(state):
        then = ", logged out afterwards"
    wrap_up = f" until {state['wrap_up_until']}" if state["wrap_up_until"] else ""
    phone = "" if state["reachable"] else "; his phone is not registered, so he gets no calls"
    return f"{state['id']} is {state['state']}{wrap_up}{why}{then}{queues}{phone}"


def _for(since: str) -> str:
    if since.startswith("1970-"):
        return "-"  # of one who has never worked
    seconds = max(0, round((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _show(rows: Sequence[Row]) -> None:
    click.echo("\n".join(columns(rows)))
