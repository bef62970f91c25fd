"""Does anybody answer there? One OPTIONS before hundreds of calls: whatever the answer, somebody speaks SIP."""

from __future__ import annotations

import secrets
import socket
import time

from callwright.load.plan import Target
from callwright.load.sipp import LoadFailed

PATIENCE_S = 3.0
_AGAIN_S = 0.5


def knock(target: Target, patience_s: float = PATIENCE_S) -> None:
    """Returns when the target answers. Raises LoadFailed when it does not, with the reason."""
    where = f"{target.host}:{target.port} over {target.transport.upper()}"
    kind = socket.SOCK_STREAM if target.transport == "tcp" else socket.SOCK_DGRAM
    try:
        family, _, _, _, place = socket.getaddrinfo(target.host, target.port, type=kind)[0]
        with socket.socket(family, kind) as line:
            line.settimeout(_AGAIN_S if kind == socket.SOCK_DGRAM else patience_s)
            line.connect(place)
            _ask(line, target, time.monotonic() + patience_s)
    except ConnectionRefusedError:
        raise LoadFailed(f"nobody listens at {where}: look at --target and --transport") from None
    except TimeoutError:
        raise LoadFailed(
            f"{where} does not answer OPTIONS within {patience_s:g} s: is the address right, does a firewall stand "
            "between? --no-knock calls all the same"
        ) from None
    except OSError as error:
        raise LoadFailed(f"{where}: {error.strerror or error}") from None


def _ask(line: socket.socket, target: Target, until: float) -> None:
    request = _options(line, target)
    while True:
        line.sendall(request)
        try:
            if line.recv(4096):
                return
            raise ConnectionRefusedError
        except TimeoutError:
            if time.monotonic() > until or line.type == socket.SOCK_STREAM:
                raise


def _options(line: socket.socket, target: Target) -> bytes:
    host, port = line.getsockname()[:2]
    here = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    there = f"[{target.host}]:{target.port}" if ":" in target.host else f"{target.host}:{target.port}"
    word = secrets.token_hex(8)
    return (
        f"OPTIONS sip:{there} SIP/2.0\r\n"
        f"Via: SIP/2.0/{target.transport.upper()} {here};branch=z9hG4bK{word};rport\r\n"
        f"From: <sip:load@{here}>;tag={word}\r\n"
        f"To: <sip:{there}>\r\n"
        f"Call-ID: {word}@{host}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        f"Contact: <sip:load@{here}>\r\n"
        "Max-Forwards: 70\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()
