"""SDP (RFC 8866): the one audio stream that the lab switch and its phones speak.

An offer is read into an `AudioMedia`; `answer_to` chooses a codec from it and `describe` writes either side's own
description. Whatever isn't audio over RTP/AVP is refused with port 0, as RFC 3264 wants.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from labswitch.g711 import CODECS

DTMF_PAYLOAD_TYPE = 101
"""What we offer for RFC 2833 telephone events; an answer takes over the offer's number."""

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class SdpError(ValueError):
    """The text is not a session description that we can use."""


@dataclass(frozen=True)
class AudioMedia:
    """One party's audio stream: where it wants to hear, and in which codecs."""

    ip: str
    port: int
    codecs: tuple[tuple[str, int], ...]
    """Name and payload type of each codec that we know, in the party's order."""
    dtmf_payload_type: int | None = None
    direction: str = "sendrecv"
    position: int = 0
    """Which of the description's media lines this is, counted from 0."""
    other_media: tuple[str, ...] = field(default=())
    """The other media lines (`video 5004 RTP/AVP 96`), which an answer must refuse one by one."""

    @property
    def on_hold(self) -> bool:
        """The party doesn't want to hear us: `sendonly`, `inactive`, or the old way, address 0.0.0.0."""
        return self.direction in ("sendonly", "inactive") or self.ip == "0.0.0.0"

    @property
    def codec(self) -> str:
        """The codec to speak: the first that the party named."""
        return self.codecs[0][0]


def parse(text: str) -> AudioMedia:
    """Read a session description. Raises `SdpError` where there is no audio stream with a codec of ours."""
    session, *sections = _sections(text)
    others: list[str] = []
    audio: AudioMedia | None = None
    for position, section in enumerate(sections):
        parts = section[0].split()
        wanted = len(parts) >= 4 and parts[0] == "audio" and parts[2] in ("RTP/AVP", "RTP/AVPF")
        if audio is None and wanted and parts[1] != "0":
            audio = _audio(section, session, position)
        else:
            others.append(section[0])
    if audio is None:
        raise SdpError("no audio stream")
    if not audio.codecs:
        raise SdpError("no codec in common")
    return replace(audio, other_media=tuple(others))


def _sections(text: str) -> list[list[str]]:
    """The lines of the session, then of each medium, whose first entry is the value of its `m=` line."""
    sections: list[list[str]] = [[]]
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("m="):
            sections.append([line[2:]])
        elif line:
            sections[-1].append(line)
    return sections


def _audio(section: list[str], session: list[str], position: int) -> AudioMedia:
    parts = section[0].split()
    try:
        port = int(parts[1].split("/")[0])
        payload_types = [int(part) for part in parts[3:]]
    except ValueError as error:
        raise SdpError(f"m={section[0]}") from error
    if not 0 < port < 65536:
        raise SdpError(f"port {port}")
    names = {8: "PCMA/8000", 0: "PCMU/8000", **_rtpmaps(section)}
    codecs = tuple((name, number) for number in payload_types for name in CODECS if names.get(number) == f"{name}/8000")
    dtmf = next((number for number in payload_types if names.get(number) == "TELEPHONE-EVENT/8000"), None)
    return AudioMedia(_address(section, session), port, codecs, dtmf, _direction(section, session), position)


def _rtpmaps(section: list[str]) -> dict[int, str]:
    maps: dict[int, str] = {}
    for line in section:
        if line.startswith("a=rtpmap:"):
            number, _, name = line[len("a=rtpmap:") :].partition(" ")
            if number.isdecimal() and len(number) <= 3:
                maps[int(number)] = name.strip().upper().removesuffix("/1")
    return maps


def _address(section: list[str], session: list[str]) -> str:
    for lines in (section[1:], session):
        for line in lines:
            parts = line.split()
            if line.startswith("c=") and len(parts) >= 3:
                return _numeric(parts[2].split("/")[0])
    raise SdpError("no address")


def _numeric(address: str) -> str:
    """Names are refused: looking one up would stop every call of the process."""
    try:
        return str(ip_address(address))
    except ValueError as error:
        raise SdpError(f"address {address}") from error


def _direction(section: list[str], session: list[str]) -> str:
    for lines in (section, session):
        for line in lines:
            if line.startswith("a=") and line[2:] in DIRECTIONS:
                return line[2:]
    return "sendrecv"


def offer(ip: str, port: int, version: int = 1, direction: str = "sendrecv", codecs: tuple[str, ...] = ()) -> str:
    """Our offer: all our codecs (or `codecs`) and telephone events."""
    names = codecs or tuple(CODECS)
    payloads = tuple((name, CODECS[name].payload_type) for name in names)
    return describe(ip, port, payloads, DTMF_PAYLOAD_TYPE, direction, version)


def answer_to(remote: AudioMedia, ip: str, port: int, version: int = 1) -> str:
    """Our answer: the first codec offered, telephone events if offered, everything else refused."""
    return describe(ip, port, remote.codecs[:1], remote.dtmf_payload_type, _MIRROR[remote.direction], version, remote)


def describe(
    ip: str,
    port: int,
    codecs: tuple[tuple[str, int], ...],
    dtmf_payload_type: int | None,
    direction: str,
    version: int,
    remote: AudioMedia | None = None,
) -> str:
    """One session description; `version` rises with each change (RFC 3264, section 8)."""
    numbers = [number for _, number in codecs] + ([dtmf_payload_type] if dtmf_payload_type is not None else [])
    audio = [f"m=audio {port} RTP/AVP {' '.join(map(str, numbers))}"]
    audio += [f"a=rtpmap:{number} {name}/8000" for name, number in codecs]
    if dtmf_payload_type is not None:
        audio += [f"a=rtpmap:{dtmf_payload_type} telephone-event/8000", f"a=fmtp:{dtmf_payload_type} 0-15"]
    audio += ["a=ptime:20", f"a={direction}"]
    media = [[_refused(line)] for line in (remote.other_media if remote else ())]
    media.insert(remote.position if remote else 0, audio)
    lines = ["v=0", f"o=callwright {port} {version} IN IP4 {ip}", "s=callwright", f"c=IN IP4 {ip}", "t=0 0"]
    return "".join(f"{line}\r\n" for line in lines + [line for section in media for line in section])


def _refused(media_line: str) -> str:
    parts = media_line.split()
    return f"m={parts[0]} 0 {' '.join(parts[2:])}" if len(parts) >= 4 else "m=audio 0 RTP/AVP 0"
