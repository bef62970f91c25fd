"""A telephone for the tests that need a real FreeSWITCH: SIP over UDP with digest, no audio."""

from __future__ import annotations

import hashlib
import itertools
import re
import socket
import time
from dataclasses import dataclass, field

_numbers = itertools.count(1)


@dataclass
class Message:
    """A SIP request or response as it came."""

    first: str
    headers: dict[str, list[str]]
    at: float
    """Seconds on the monotonic clock."""

    @property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0

    def get(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return self.headers.get(name.lower(), [""])[0]


@dataclass
class Dialog:
    """One call of the phone."""

    call_id: str
    local: str
    remote: str
    target: str
    invitation: str = ""
    """The first line of the INVITE that came, empty for a call that was made."""
    branch: str = ""
    responses: list[Message] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        """Every status that answered the INVITE, in order."""
        return [message.status for message in self.responses]


class Phone:
    """One user agent on an address of the loopback. Every wait has a deadline and raises `TimeoutError`."""

    def __init__(
        self,
        user: str,
        server_port: int,
        domain: str = "127.0.0.1",
        password: str = "",
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        payload: str = "8 PCMA",
    ) -> None:
        self.user, self.domain, self.password = user, domain, password
        self.address, self.payload = address, payload
        self.server = ("127.0.0.1", server_port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.port = self.socket.getsockname()[1]
        self.contact = f"<sip:{user}@{address}:{self.port}>"
        self._sequence = itertools.count(1)

    def close(self) -> None:
        """Frees the port."""
        self.socket.close()

    def register(self, as_user: str = "") -> int:
        """Registers with digest and returns the final status; `as_user` is the account that signs."""
        uri, address = f"sip:{self.domain}", f"<sip:{self.user}@{self.domain}>"
        dialog = Dialog(self._call_id(), f"{address};tag=t{next(_numbers)}", address, uri)
        extra = [f"Contact: {self.contact}", "Expires: 120"]
        self._request("REGISTER", dialog, extra)
        message = self.final(dialog.call_id)
        if message.status == 401:
            extra.append(self._authorization(message, "REGISTER", uri, as_user or self.user))
            self._request("REGISTER", dialog, extra)
            message = self.final(dialog.call_id)
        return message.status

    def call(self, number: str, timeout_s: float = 15) -> Dialog:
        """Calls and waits for the final answer, acknowledged; answers a digest challenge where there is a password."""
        uri = f"sip:{number}@{self.server[0]}:{self.server[1]}"
        local = f"<sip:{self.user}@{self.domain}>;tag=t{next(_numbers)}"
        dialog = Dialog(self._call_id(), local, f"<{uri}>", uri)
        self._invite(dialog, [])
        message = self._follow(dialog, timeout_s)
        if message.status in (401, 407) and self.password:
            proof = self._authorization(message, "INVITE", uri, self.user, proxy=message.status == 407)
            dialog.responses.clear()
            dialog.remote = f"<{uri}>"
            self._invite(dialog, [proof])
            self._follow(dialog, timeout_s)
        return dialog

    def answer(self, timeout_s: float = 5) -> Dialog:
        """Waits for a call and takes it: 180, 200, and waits for the ACK."""
        invite = self.wait("INVITE", timeout_s)
        local = f"{invite.get('to')};tag=t{next(_numbers)}"
        dialog = Dialog(invite.get("call-id"), local, invite.get("from"), _address(invite.get("contact")), invite.first)
        self._respond(invite, "180 Ringing", local)
        self._respond(invite, "200 OK", local, self._sdp())
        self.wait("ACK", timeout_s)
        return dialog

    def refuse(self, status: str, timeout_s: float = 5) -> None:
        """Waits for a call and answers it with `status` (`486 Busy Here`)."""
        invite = self.wait("INVITE", timeout_s)
        self._respond(invite, status, f"{invite.get('to')};tag=t{next(_numbers)}")

    def hang_up(self, dialog: Dialog) -> int:
        """Sends BYE and returns the status that answers it."""
        self._request("BYE", dialog, [])
        return self.final(dialog.call_id).status

    def refer(self, dialog: Dialog, number: str) -> int:
        """Asks the switch to transfer the other party to `number`; returns the status."""
        to = f"<sip:{number}@127.0.0.1:{self.server[1]}>"
        extra = [f"Refer-To: {to}", f"Referred-By: {self.contact}", f"Contact: {self.contact}"]
        self._request("REFER", dialog, extra)
        return self.final(dialog.call_id).status

    def press(self, dialog: Dialog, key: str) -> int:
        """Sends a key by SIP INFO and returns the status."""
        body = f"Signal={key}\r\nDuration=160\r\n"
        self._request("INFO", dialog, ["Content-Type: application/dtmf-relay"], body)
        return self.final(dialog.call_id).status

    def wait(self, method: str, timeout_s: float = 5) -> Message:
        """The next request of that method; others but ACK are answered 200 meanwhile, BYE and NOTIFY included."""
        end = time.monotonic() + timeout_s
        while True:
            message = self._receive(end)
            if message.status:
                continue
            came = message.first.split()[0]
            if came not in ("ACK", "INVITE"):
                self._respond(message, "200 OK", message.get("to"))
            if came == method:
                return message

    def final(self, call_id: str, timeout_s: float = 5) -> Message:
        """The next final response of that call."""
        end = time.monotonic() + timeout_s
        while True:
            message = self._receive(end)
            if message.status >= 200 and message.get("call-id") == call_id:
                return message

    def _follow(self, dialog: Dialog, timeout_s: float) -> Message:
        end = time.monotonic() + timeout_s
        while True:
            message = self._receive(end)
            if not message.status or message.get("call-id") != dialog.call_id:
                continue
            dialog.responses.append(message)
            if message.status < 200:
                continue
            dialog.remote = message.get("to")
            if message.status < 300:
                dialog.target = _address(message.get("contact"))
            # RFC 3261: the ACK of a refusal belongs to the INVITE's transaction, that of a 200 to none.
            branch = dialog.branch if message.status >= 300 else self._branch()
            self._send("ACK", dialog, message.get("cseq").split()[0], branch, [])
            return message

    def _invite(self, dialog: Dialog, extra: list[str]) -> None:
        dialog.branch = self._branch()
        lines = [f"Contact: {self.contact}", "Content-Type: application/sdp", *extra]
        self._send("INVITE", dialog, str(next(self._sequence)), dialog.branch, lines, self._sdp())

    def _request(self, method: str, dialog: Dialog, extra: list[str], body: str = "") -> None:
        self._send(method, dialog, str(next(self._sequence)), self._branch(), extra, body)

    def _send(self, method: str, dialog: Dialog, number: str, branch: str, extra: list[str], body: str = "") -> None:
        lines = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={branch}",
            f"From: {dialog.local}",
            f"To: {dialog.remote}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            *extra,
            f"Content-Length: {len(body)}",
        ]
        self.socket.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.server)

    def _respond(self, request: Message, status: str, to: str, body: str = "") -> None:
        lines = [f"SIP/2.0 {status}", *(f"Via: {via}" for via in request.headers["via"])]
        lines += [f"From: {request.get('from')}", f"To: {to}", f"Call-ID: {request.get('call-id')}"]
        lines += [f"CSeq: {request.get('cseq')}", f"Contact: {self.contact}"]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        self.socket.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.server)

    def _receive(self, end: float) -> Message:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{self.user} waited in vain")
        self.socket.settimeout(left)
        text = self.socket.recvfrom(65536)[0].decode("utf-8", "replace").partition("\r\n\r\n")[0]
        first, *lines = text.split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        return Message(first, headers, time.monotonic())

    def _authorization(self, challenge: Message, method: str, uri: str, user: str, *, proxy: bool = False) -> str:
        header = challenge.get("proxy-authenticate" if proxy else "www-authenticate")
        values = dict(re.findall(r'(\w+)="?([^",]+)"?', header))
        realm, nonce = values["realm"], values["nonce"]
        secret = _md5(f"{user}:{realm}:{self.password}")
        response = _md5(f"{secret}:{nonce}:00000001:c:auth:{_md5(f'{method}:{uri}')}")
        return (
            f'{"Proxy-" if proxy else ""}Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", '
            f'uri="{uri}", qop=auth, nc=00000001, cnonce="c", response="{response}", algorithm=MD5'
        )

    def _sdp(self) -> str:
        number, name = self.payload.split()
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio 4000 RTP/AVP {number} 101\r\na=rtpmap:{number} {name}/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\n"
        )

    def _branch(self) -> str:
        return f"z9hG4bK{next(_numbers)}x{self.port}"

    def _call_id(self) -> str:
        return f"{next(_numbers)}-{self.port}-{time.monotonic_ns()}"


def _address(header: str) -> str:
    return re.sub(r".*<(.*?)>.*", r"\1", header)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
