"""status, version, uptime, show, reloadxml, fsctl: the switch about itself."""

from __future__ import annotations

import json

from labswitch import config
from labswitch.api import command
from labswitch.cdr import stamp
from labswitch.channel import Channel
from labswitch.config import ConfigError
from labswitch.dialplan import Dialplan
from labswitch.switch import Switch

VERSION = "1.11.3-lab"


@command("status")
async def status(switch: Switch, arguments: str) -> str:
    """Uptime and sessions."""
    count = len(switch.channels)
    rate, limit = switch.sessions_last_second(), switch.config.sessions_per_second
    return (
        f"UP {switch.uptime()}\n"
        f"FreeSWITCH (Version {VERSION} the callwright lab switch, not a FreeSWITCH) is ready\n"
        f"{switch.sessions_total} session(s) since startup\n"
        f"{count} session(s) - peak {switch.sessions_peak}, last 5min {switch.sessions_peak} \n"
        f"{rate} session(s) per Sec out of max {limit}, peak {rate}, last 5min {rate} \n"
        f"{switch.config.max_sessions} session(s) max\n"
        "min idle cpu 0.00/99.00\n"
        "Current Stack Size/Max 240K/8192K\n"
    )


@command("version")
async def version(switch: Switch, arguments: str) -> str:
    """The version, or with `short` only its number."""
    if arguments == "short":
        return VERSION.split("-")[0]
    return f"FreeSWITCH Version {VERSION} (the callwright lab switch, not a FreeSWITCH)\n"


@command("switchname")
async def switchname(switch: Switch, arguments: str) -> str:
    """The switch's name as in every event, without a line break."""
    return switch.config.switch_name


@command("uptime")
async def uptime(switch: Switch, arguments: str) -> str:
    """Whole seconds since the start, or with `ms`, `us` finer."""
    divisor = {"ms": 1000, "us": 1}.get(arguments, 1_000_000)
    return f"{(switch.clock.now_us() - switch.started_us) // divisor}\n"


@command("show")
async def show(switch: Switch, arguments: str) -> str:
    """`channels|calls [count|as json]`."""
    words = arguments.split()
    what = words[0] if words else ""
    if what not in {"channels", "calls", "registrations"}:
        return "-USAGE: channels|calls|registrations [count|as json]\n"
    rows = {"channels": _channel_rows, "calls": _call_rows, "registrations": _registration_rows}[what](switch)
    if words[1:2] == ["count"]:
        return f"\n{len(rows)} total.\n"
    if words[1:3] == ["as", "json"]:
        if not rows:
            return '{"row_count": 0}\n'  # with the space, as FreeSWITCH writes it
        return json.dumps({"row_count": len(rows), "rows": rows}, separators=(",", ":"), ensure_ascii=False) + "\n"
    if not rows:
        return "\n0 total.\n"
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join(lines) + f"\n\n{len(rows)} total.\n"


def _channel_rows(switch: Switch) -> list[dict[str, str]]:
    return [_row(channel) for channel in switch.channels.values()]


def _call_rows(switch: Switch) -> list[dict[str, str]]:
    """One row per bridged pair or single channel, the other leg with `b_`."""
    rows = []
    for channel in switch.channels.values():
        peer = channel.bridge_peer
        if peer is not None and channel.other_type == "originator":
            continue
        row = _row(channel)
        other = _row(peer) if peer is not None else dict.fromkeys(row, "")
        row.update({f"b_{name}": value for name, value in other.items()})
        rows.append(row)
    return rows


def _registration_rows(switch: Switch) -> list[dict[str, str]]:
    return [
        {
            "reg_user": entry.user,
            "realm": user.domain if (user := switch.config.user(entry.user, "")) else "",
            "token": entry.call_id,
            "url": f"sofia/{profile}/{entry.contact}",
            "expires": str(entry.expires_at_epoch_s()),
            "network_ip": entry.address[0],
            "network_port": str(entry.address[1]),
            "network_proto": "udp",
            "hostname": switch.config.switch_name,
            "metadata": "",
        }
        for profile in switch.config.profiles
        for entry in switch.registrations(profile).values()
    ]


def _row(channel: Channel) -> dict[str, str]:
    profile, created = channel.profile, channel.profile.times.created
    codec = channel.codec
    rate, bits = ("8000", "64000") if codec else ("", "")
    return {
        "uuid": channel.uuid,
        "direction": channel.direction,
        "created": stamp(created),
        "created_epoch": str(created // 1_000_000),
        "name": channel.name,
        "state": channel.listed_state,
        "cid_name": profile.caller_id_name,
        "cid_num": profile.caller_id_number,
        "ip_addr": profile.network_addr,
        "dest": profile.destination_number,
        "application": channel.application,
        "application_data": channel.application_data,
        "dialplan": profile.dialplan,
        "context": profile.context,
        "read_codec": codec,
        "read_rate": rate,
        "read_bit_rate": bits,
        "write_codec": codec,
        "write_rate": rate,
        "write_bit_rate": bits,
        "secure": "",
        "hostname": channel.switch.config.switch_name,
        "presence_id": channel.variables.get("presence_id", ""),
        "presence_data": "",
        "accountcode": channel.variables.get("accountcode", ""),
        "callstate": channel.listed_call_state,
        "callee_name": profile.callee_id_name,
        "callee_num": profile.callee_id_number,
        "callee_direction": "SEND" if channel.bridge_peer is not None else "",
        "call_uuid": channel.variables.get("call_uuid", "") if channel.bridge_peer is not None else "",
        "sent_callee_name": channel.variables.get("last_sent_callee_id_name", ""),
        "sent_callee_num": channel.variables.get("last_sent_callee_id_number", ""),
        "initial_cid_name": profile.orig_caller_id_name,
        "initial_cid_num": profile.orig_caller_id_number,
        "initial_ip_addr": profile.network_addr,
        "initial_dest": profile.destination_number,
        "initial_dialplan": profile.dialplan,
        "initial_context": profile.context,
    }


@command("reloadxml")
async def reloadxml(switch: Switch, arguments: str) -> str:
    """Read dialplan and directory anew; addresses and passwords stay as they were."""
    try:
        fresh = config.load(switch.config.directory)
    except ConfigError as error:
        return f"-ERR [{error}]\n"
    switch.config = fresh
    switch.dialplan = Dialplan(dict(fresh.contexts))
    return "+OK [Success]\n"


@command("fsctl")
async def fsctl(switch: Switch, arguments: str) -> str:
    """`pause`, `resume`, `hupall`, `sps`, `max_sessions`, `shutdown_check`."""
    words = arguments.split()
    verb = words[0] if words else ""
    if verb in {"pause", "resume"}:
        switch.paused = verb == "pause"
    elif verb == "hupall":
        for channel in tuple(switch.channels.values()):
            channel.hangup("MANAGER_REQUEST")
    elif verb == "sps":
        return f"+OK sessions per second: {switch.config.sessions_per_second}\n"
    elif verb == "max_sessions":
        return f"+OK max sessions: {switch.config.max_sessions}\n"
    elif verb == "shutdown_check":
        return "false"
    return "+OK\n"


@command("global_getvar")
async def global_getvar(switch: Switch, arguments: str) -> str:
    """`<name>`: a variable of the configuration."""
    return switch.config.variables.get(arguments, "")


@command("echo")
async def echo(switch: Switch, arguments: str) -> str:
    """What was said."""
    return arguments
