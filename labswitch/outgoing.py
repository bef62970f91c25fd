"""The channel of one outgoing leg: who calls, what the called one is shown, FreeSWITCH's variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from labswitch.config import is_true
from labswitch.headers import CallerProfile, Times
from labswitch.leg import DialError, Extras
from labswitch.state import State

if TYPE_CHECKING:
    from labswitch.channel import Channel
    from labswitch.switch import Switch

NO_NUMBER = "0000000000"
"""FreeSWITCH's caller number where none is given."""

_HEADER = "sip_h_"
"""A variable of this prefix is a header of the INVITE."""

_NO_CHANNEL = frozenset({"SUBSCRIBER_ABSENT", "USER_NOT_REGISTERED", "CHAN_NOT_IMPLEMENTED"})
"""Failures that come before FreeSWITCH makes a channel: nothing is destroyed then."""


def call_out(switch: Switch, address: str, variables: Mapping[str, str], caller: Channel | None) -> Channel:
    """An outgoing channel, ringing; `caller` is who waits for it. Raises `DialError` where nothing can be called."""
    profile = _profile(switch, address, variables, caller)
    if profile.uuid in switch.channels:
        raise DialError("DESTINATION_OUT_OF_ORDER", address)
    channel = switch.new_channel(profile)
    channel.passive_routing = True
    channel.variables.update(_variables(channel, address, variables, caller))
    try:
        extras = _extras(channel, switch)
        channel.leg = switch.dial(address, profile.caller_id_number, profile.caller_id_name, channel, extras)
    except DialError as error:
        channel.state = channel.running_state = State.NONE
        if error.cause not in _NO_CHANNEL:
            channel.fire("CHANNEL_DESTROY")
        switch.forget(channel)
        raise
    if caller is not None:
        channel.other, channel.other_type = caller.profile, "originator"
        caller.other, caller.other_type = channel.profile, "originatee"
    switch.start(channel)
    return channel


def _profile(switch: Switch, address: str, variables: Mapping[str, str], caller: Channel | None) -> CallerProfile:
    from_caller = caller.profile if caller is not None else None
    name, number = (_shown(what, variables, caller) for what in ("name", "number"))
    number = number or NO_NUMBER
    called = _called(address)
    now_us = switch.clock.now_us()
    return CallerProfile(
        uuid=variables.get("origination_uuid") or switch.new_uuid(),
        direction="outbound",
        channel_name=address.replace("sofia/gateway/", "sofia/external/"),
        destination_number=called,
        caller_id_name=name,
        caller_id_number=number,
        orig_caller_id_name=name,
        orig_caller_id_number=number,
        callee_id_name=variables.get("origination_callee_id_name", "Outbound Call"),
        callee_id_number=variables.get("origination_callee_id_number", called),
        network_addr=from_caller.network_addr if from_caller else "",
        ani=number,
        context=from_caller.context if from_caller else "default",
        dialplan=from_caller.dialplan if from_caller else "",
        source="mod_sofia" if from_caller else "src/switch_ivr_originate.c",
        times=Times(profile_created=now_us, created=now_us),
    )


def _shown(what: str, variables: Mapping[str, str], caller: Channel | None) -> str:
    """The caller's name or number, as the called one is to see it."""
    given = variables.get(f"origination_caller_id_{what}")
    if given or caller is None:
        return given or ""
    effective = caller.variables.get(f"effective_caller_id_{what}")
    return effective or (caller.profile.caller_id_name if what == "name" else caller.profile.caller_id_number)


def _variables(channel: Channel, address: str, given: Mapping[str, str], caller: Channel | None) -> dict[str, str]:
    parts = address.split("/")
    sofia = parts[1] if len(parts) > 2 else ""
    found = {
        "direction": "outbound",
        "is_outbound": "true",
        "uuid": channel.uuid,
        "call_uuid": caller.uuid if caller else channel.uuid,
        "session_id": str(channel.session_id),
        "sip_profile_name": sofia,
        "channel_name": channel.name,
    }
    if caller is not None:
        found |= {"originator": caller.uuid, "signal_bond": caller.uuid}
        found["max_forwards"] = str(int(caller.variables.get("max_forwards") or 70) - 1)
    return {
        **found,
        **given,
        "originate_early_media": "true" if caller else "false",
        "originate_endpoint": parts[0],
        "sofia_profile_name": "external" if sofia == "gateway" else sofia,
        "sip_req_uri": "/".join(parts[2:]),
        "sip_to_user": channel.profile.destination_number,
    }


def _extras(channel: Channel, switch: Switch) -> Extras:
    """Headers of `sip_h_…`; with `sip_auto_answer` what asks a phone to answer by itself, in FreeSWITCH's spelling."""
    if is_true(channel.variables.get("sip_auto_answer")):
        profile = switch.config.profiles.get(channel.variables["sofia_profile_name"])
        channel.set("sip_h_Call-Info", f"<sip:{profile.sip_ip if profile else ''}>;answer-after=0")
        channel.set("sip_invite_params", "intercom=true")
    headers = tuple(
        (name.removeprefix(_HEADER), value) for name, value in channel.variables.items() if name.startswith(_HEADER)
    )
    parameters = channel.variables.get("sip_invite_params", "")
    return Extras(headers, tuple(filter(None, parameters.split(";"))))


def _called(address: str) -> str:
    """The user or number in a sofia address."""
    last = address.rsplit("/", 1)[-1].removeprefix("sip:")
    return last.split("@")[0].split("%")[0]
