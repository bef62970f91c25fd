"""What an INVITE makes of a channel: the caller's profile and FreeSWITCH's `sip_*` variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labswitch.headers import CallerProfile, Times
from labswitch.leg import Invitation

if TYPE_CHECKING:
    from labswitch.channel import Channel
    from labswitch.config import Config


def caller_profile(invitation: Invitation, uuid: str, context: str, times: Times) -> CallerProfile:
    """The caller as the switch sees it. Nothing is checked: what the caller wrote stands there as it came."""
    user, display = invitation.from_user, invitation.from_display
    name = f"sofia/{invitation.profile}/{_address(user, invitation.from_host, invitation.from_port)}"
    return CallerProfile(
        uuid=uuid,
        direction="inbound",
        channel_name=name,
        destination_number=invitation.to_user,
        caller_id_name=display or user,
        caller_id_number=user,
        orig_caller_id_name=display or user,
        orig_caller_id_number=user,
        username=invitation.authenticated_user or user,
        dialplan="XML",
        context=context,
        network_addr=invitation.network_ip,
        ani=user,
        times=times,
    )


def caller_variables(invitation: Invitation, channel: Channel, config: Config, now_us: int) -> dict[str, str]:
    """The variables that mod_sofia sets before the dialplan runs, those of them that anybody reads."""
    profile = config.profiles.get(invitation.profile)
    listen_ip = profile.sip_ip if profile else invitation.to_host
    listen_port = profile.sip_port if profile else invitation.to_port
    found = {
        "direction": "inbound",
        "uuid": channel.uuid,
        "session_id": str(channel.session_id),
        **_from(invitation),
        "channel_name": channel.name,
        "sip_call_id": invitation.call_id,
        "sip_local_network_addr": listen_ip,
        "sip_invite_stamp": str(now_us),
        "sip_via_protocol": "udp",
        "sofia_profile_name": invitation.profile,
        "sofia_profile_url": f"sip:mod_sofia@{listen_ip}:{listen_port}",
        "recovery_profile_name": invitation.profile,
        **_to(invitation),
        "sip_user_agent": invitation.user_agent,
        "max_forwards": "70",
        "switch_r_sdp": invitation.remote_sdp,
        "read_codec": invitation.codec,
        "read_rate": "8000",
        "write_codec": invitation.codec,
        "write_rate": "8000",
        "dtmf_type": "rfc2833",
        "endpoint_disposition": "RECEIVED",
        "call_uuid": channel.uuid,
    }
    found.update({f"sip_h_{name}": value for name, value in invitation.headers})
    if invitation.authenticated_user:
        found.update({"sip_authorized": "true", "user_name": invitation.authenticated_user})
        user = config.user(invitation.authenticated_user)
        if user is not None:
            found.update({"domain_name": user.domain, **user.variables})
    return {name: value for name, value in found.items() if value}


def _from(sip: Invitation) -> dict[str, str]:
    uri = _address(sip.from_user, sip.from_host, sip.from_port)
    contact = sip.contact_uri.removeprefix("sip:")
    return {
        "sip_from_user": sip.from_user,
        "sip_from_port": str(sip.from_port),
        "sip_from_uri": uri,
        "sip_from_host": sip.from_host,
        "sip_from_user_stripped": sip.from_user.lstrip("+"),
        "sip_from_display": sip.from_display,
        "sip_full_from": f'"{sip.from_display}" <sip:{uri}>' if sip.from_display else f"<sip:{uri}>",
        "sip_contact_uri": contact,
        "sip_contact_user": contact.partition("@")[0] if "@" in contact else "",
        "sip_network_ip": sip.network_ip,
        "sip_network_port": str(sip.network_port),
        "sip_received_ip": sip.network_ip,
        "sip_received_port": str(sip.network_port),
    }


def _to(sip: Invitation) -> dict[str, str]:
    uri = _address(sip.to_user, sip.to_host, sip.to_port)
    same = {"user": sip.to_user, "port": str(sip.to_port), "uri": uri, "host": sip.to_host}
    return {
        **{f"sip_req_{name}": value for name, value in same.items()},
        **{f"sip_to_{name}": value for name, value in same.items()},
        "sip_full_to": f"<sip:{uri}>",
    }


def _address(user: str, host: str, port: int) -> str:
    """`user@host:port`, without the port where it is the usual one or unknown."""
    where = host if port in {0, 5060} else f"{host}:{port}"
    return f"{user}@{where}" if user else where
