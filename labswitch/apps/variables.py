"""set, multiset, export, unset."""

from __future__ import annotations

from labswitch.apps import app
from labswitch.channel import Channel


@app("set", after_hangup=True)
async def set_(channel: Channel, data: str) -> None:
    """`name=value`; an empty value or `_undef_` removes the variable."""
    assign(channel, data)


@app("multiset", after_hangup=True)
async def multiset(channel: Channel, data: str) -> None:
    """`a=1 b=2`, or with another delimiter `^^;a=1;b=2`."""
    delimiter = " "
    if data.startswith("^^") and len(data) > 2:
        delimiter, data = data[2], data[3:]
    for pair in data.split(delimiter):
        if pair:
            assign(channel, pair)


@app("export", after_hangup=True)
async def export(channel: Channel, data: str) -> None:
    """`name=value` for this leg and for those that it calls; `nolocal:name=value` for those only."""
    name, _, value = data.partition("=")
    name = name.strip()
    listed = [n for n in (channel.variables.get("export_vars") or "").split(",") if n]
    if name.startswith("nolocal:"):
        name = name.removeprefix("nolocal:")
        channel.set(f"nolocal:{name}", value or None)
        listed.append(f"nolocal:{name}")
    else:
        channel.set(name, value or None)
        listed.append(name)
    channel.set("export_vars", ",".join(dict.fromkeys(listed)))


@app("unset", after_hangup=True)
async def unset(channel: Channel, data: str) -> None:
    """Remove a variable."""
    channel.set(data.strip(), None)


def assign(channel: Channel, pair: str) -> None:
    """One `name=value`."""
    name, _, value = pair.partition("=")
    value = value.strip() if value.startswith(" ") else value
    channel.set(name.strip(), None if value in {"", "_undef_"} else value)


def exported(channel: Channel) -> dict[str, str]:
    """What `export` set for the legs that this one calls."""
    found = {}
    for name in (channel.variables.get("export_vars") or "").split(","):
        value = channel.variables.get(name)
        if name and value is not None:
            found[name.removeprefix("nolocal:")] = value
    return found
