"""An event socket that answers as a FreeSWITCH on our rendered configuration did, but for what a test changes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from io import BufferedRWPair

from callwright.local import ports

PASSWORD = "a-password-of-tests"
GATEWAY = "<gateway><name>{}</name><profile>external</profile><state>{}</state><status>{}</status></gateway>"


def dialplan(context: str, *engines: str) -> str:
    """A context that hands its calls over."""
    return (
        f'<context name="{context}"><extension name="cw_entry"><condition>'
        f'<action application="socket" data="{"|".join(engines)} async full"></action>'
        '<action application="hangup" data="NORMAL_TEMPORARY_FAILURE"></action></condition></extension></context>'
    )


def settings(name: str, **params: str) -> str:
    """A configuration file."""
    written = "".join(
        f'<param name="{key.replace("_", "-")}" value="{value}"></param>' for key, value in params.items()
    )
    return f'<configuration name="{name}.conf"><settings>{written}</settings></configuration>'


def sofia(**params: str) -> str:
    """The SIP profile of the trunks."""
    profile = settings("sofia", **params).partition(">")[2].rpartition("<")[0]
    return (
        '<configuration name="sofia.conf"><profiles><profile name="external">'
        f"{profile}</profile></profiles></configuration>"
    )


def well(engine: str) -> dict[str, str]:
    """The answers of a switch that is as it should be; `module_exists` and `file_exists` are answered by `true`."""
    return {
        "version": "FreeSWITCH Version 1.11.3-dev+git~20260821T141014Z~cc93a683ca~64bit (git cc93a68 64bit)",
        "version short": "1.11.3-dev",
        "switchname": "fs-a",
        "status": "UP 0 years, 0 days\nFreeSWITCH (Version 1.11.3-dev git cc93a68 64bit) is ready\n",
        "eval ${echo(callwright-doctor)}": "<API execute Permission Denied>",
        "fsctl max_sessions": "+OK max sessions: 5000",
        "fsctl sps": "+OK sessions per second: 100",
        "global_getvar log_dir": "/nowhere/log",
        "sofia status": "Name\t   Type\t   Data\tState\n=====\n"
        "  external\tprofile\t   sip:mod_sofia@127.0.0.1:5080\tRUNNING (0)\n"
        "  external::o2\tgateway\t   sip:o2@127.0.0.1:16100\tNOREG\n"
        "  internal\tprofile\t   sip:mod_sofia@127.0.0.1:5060\tRUNNING (0)\n=====\n2 profiles 0 aliases\n",
        "sofia status profile external": "Name             \texternal\nCODECS IN        \tPCMA,PCMU\n",
        "sofia status profile internal": "Name             \tinternal\nCODECS IN        \tPCMA,PCMU\n",
        "sofia xmlstatus gateway": f"<gateways>{GATEWAY.format('o2', 'NOREG', 'UP')}</gateways>",
        "xml_locate dialplan context name public": dialplan("public", engine),
        "xml_locate dialplan context name agents": dialplan("agents", engine),
        "xml_locate configuration configuration name event_socket.conf": settings(
            "event_socket", listen_ip="127.0.0.1", apply_inbound_acl="cw_control"
        ),
        "xml_locate configuration configuration name sofia.conf": sofia(apply_inbound_acl="cw_trunks"),
        "acl 127.0.0.1 cw_control": "true",
        "xml_locate configuration configuration name switch.conf": settings(
            "switch", rtp_start_port="16384", rtp_end_port="32767"
        ),
    }


class FakeSwitch:
    """Serves until the end of the `with` block."""

    def __init__(self, answers: Mapping[str, str], *, password: str = PASSWORD, greeting: str = "") -> None:
        self.answers = dict(answers)
        self._password = password
        self._greeting = greeting or "Content-Type: auth/request\n\n"
        self._server = socket.create_server((ports.LOOPBACK, 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> FakeSwitch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream, contextlib.suppress(OSError):
                self._speak(stream)

    def _speak(self, stream: BufferedRWPair) -> None:
        stream.write(self._greeting.encode())
        stream.flush()
        for line in stream:
            command, _, rest = line.decode().strip().partition(" ")
            if command == "auth":
                words = "+OK accepted" if rest == self._password else "-ERR invalid"
                stream.write(f"Content-Type: command/reply\nReply-Text: {words}\n\n".encode())
            elif command == "api":
                body = self._answer(rest).encode()
                stream.write(b"Content-Type: api/response\nContent-Length: %d\n\n" % len(body) + body)
            stream.flush()

    def _answer(self, asked: str) -> str:
        if asked in self.answers:
            return self.answers[asked]
        if asked.split()[0] in ("module_exists", "file_exists"):
            return "true"
        if asked.startswith("acl "):
            return "false"
        return f"-ERR {asked.split()[0]} Command not found!\n"


@contextlib.contextmanager
def engine() -> Iterator[str]:
    """An engine as far as a knock tells: says `connect` to whoever comes. Its address."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(b"connect\n\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"{ports.LOOPBACK}:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
