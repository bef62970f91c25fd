"""SIP over UDP: one socket with sippy's transaction layer on top. Everything here runs on the SIP thread.

Bytes go through sippy as Latin-1 text, so that what one side wrote comes out byte for byte, valid UTF-8 or not.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from sippy import SipAddress as address_module
from sippy import SipMsg as message_module
from sippy import SipRequest as request_module
from sippy import SipTransactionManager as transactions_module
from sippy import SipURL as url_module
from sippy.Network_server import Remote_address
from sippy.SipResponse import SipResponse
from sippy.SipTransactionManager import TRYING, SipTransactionManager
from sippy.Time.MonoTime import MonoTime
from sippy.Time.Timeout import Timeout

from labswitch import sip_screen
from labswitch.sip_manners import Manners
from labswitch.sip_thread import SipThread

log = logging.getLogger(__name__)
wire_log = logging.getLogger("labswitch.sip.wire")

NO_RESPONSE_S = 4.0
"""A request to which nothing at all comes back has failed after this time (408). RFC 3261 says 32 s; on a loopback
network that only makes callers wait."""

_MAX_PACKET = 65535
_PACKETS_PER_WAKE = 32
_CACHE_S = 32
_IP_RECVERR = 11

# Python's str.splitlines(), with which sippy cuts headers, breaks at these too; SIP doesn't.
_SHIELD = {code: 0xE000 + code for code in (0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85)}
_UNSHIELD = {shielded: code for code, shielded in _SHIELD.items()}


def received_text(value: str) -> str:
    """A header value as the sender wrote it. Bytes that are not UTF-8 become lone surrogates (`surrogateescape`)."""
    return value.translate(_UNSHIELD).encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def wire_text(value: str) -> str:
    """The reverse of `received_text`: our text as sippy is to see it."""
    return value.encode("utf-8", "surrogateescape").decode("latin-1").translate(_SHIELD)


def _log_broken(message: str, *_: object, **__: object) -> None:
    log.debug("%s", message, exc_info=True)


def _log_print(*parts: object, **_: object) -> None:
    log.debug("%s", " ".join(map(str, parts)))


# sippy prints what it thinks of broken packets, tracebacks included; the text in them is the sender's choice.
transactions_module.dump_exception = _log_broken
for _module in (transactions_module, message_module, request_module, url_module):
    _module.print = _log_print
# sippy leaves the quotes away where Python calls a name alphanumeric, which takes in letters that no token may hold.
address_module.needquotes = lambda name, table: True


class _WireLog:
    """sippy's logger interface, to `labswitch.sip.wire` at DEBUG."""

    @staticmethod
    def write(*parts: str, **_: object) -> None:
        if wire_log.isEnabledFor(logging.DEBUG):
            wire_log.debug("%s", "".join(parts))


class UdpSocket:
    """One bound UDP socket in the shape of sippy's Network_server, without its six threads a socket."""

    transport = "udp"

    def __init__(self, thread: SipThread, ip: str, port: int) -> None:
        """Raises OSError when the port is in use."""
        self._thread = thread
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            self._socket.bind((ip, port))
        except OSError:
            self._socket.close()
            raise
        self.address: tuple[str, int] = self._socket.getsockname()
        self.uopts = SimpleNamespace(laddress=self.address, isWildCard=lambda: False)
        self.on_message: Callable[[str, Remote_address], None] = lambda text, source: None
        self.on_unreachable: Callable[[tuple[str, int]], None] = lambda address: None
        self._open = True
        thread.loop.add_reader(self._socket.fileno(), thread.enter, self._readable)

    def getSIPaddr(self) -> tuple[tuple[str, int], str]:
        return self.address, self.transport

    def addr2str(self, address: tuple[str, int]) -> str:
        return f"udp:{address[0]}:{address[1]}"

    def send_to(self, data: str | bytes, address: tuple[str, int], delayed: bool = False) -> None:
        """One packet, at once. Only to numbers: looking a name up would stop every call of the process."""
        if not self._open:
            return
        host = "127.0.0.1" if address[0] == "localhost" else str(address[0])
        payload = data if isinstance(data, bytes) else data.translate(_UNSHIELD).encode("latin-1", "replace")
        for _ in range(2):
            try:
                ip_address(host)
                self._socket.sendto(payload, (host, int(address[1])))
            except ConnectionRefusedError:
                # The news of an earlier packet; this one was not sent.
                continue
            except (OSError, ValueError, OverflowError) as error:
                log.debug("can't send to %r: %s", address, error)
            return

    def close(self) -> None:
        """Free the port; what is sent later is dropped."""
        if self._open:
            self._open = False
            self._thread.loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        for _ in range(_PACKETS_PER_WAKE):
            try:
                packet, source = self._socket.recvfrom(_MAX_PACKET)
            except OSError:
                self._read_refusals()
                return
            text = packet.decode("latin-1").translate(_SHIELD)
            try:
                self.on_message(text, Remote_address(source, self.transport))
            except Exception as error:
                log.debug("packet from %s dropped: %r", source, error, exc_info=True)

    def _read_refusals(self) -> None:
        """ICMP 'port unreachable' from the socket's error queue: whom we can't reach."""
        for _ in range(_PACKETS_PER_WAKE):
            try:
                _, _, _, address = self._socket.recvmsg(512, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if address:
                self.on_unreachable(address)


class Transactions(SipTransactionManager):  # type: ignore[misc]
    """sippy's transaction layer on a `UdpSocket`.

    The constructor doesn't call its parent's, which opens sockets and threads of its own.
    """

    def __init__(self, udp: UdpSocket, on_request: Callable[[Any, Any], Any], manners: Manners) -> None:
        self.manners = manners
        self.global_config = {
            "_sip_tm": self,
            "_sip_logger": _WireLog,
            "_sip_address": udp.address[0],
            "_sip_port": udp.address[1],
        }
        self.udp = udp
        self.l4r = SimpleNamespace(
            getServer=lambda *_, **__: udp, rotateCache=lambda: None, shutdown=udp.close, fixed=True
        )
        self.tclient: dict[Any, Any] = {}
        self.tserver: dict[Any, Any] = {}
        self.l1rcache: dict[Any, Any] = {}
        self.l2rcache: dict[Any, Any] = {}
        self.req_consumers: dict[Any, Any] = {}
        self.req_cb: Callable[[Any, Any], Any] | None = on_request
        self.init_time = MonoTime().monot
        self.cp_timer = Timeout(self.rCachePurge, _CACHE_S, -1)
        self.current_text = ""
        udp.on_message = self._message
        udp.on_unreachable = self.unreachable

    def _message(self, text: str, source: Remote_address) -> None:
        if sip_screen.is_dropped(text):
            return
        refusal = sip_screen.refusal_of(text, source.address[1])
        if refusal is not None:
            self.udp.send_to(refusal, source.address)
            return
        self.current_text = text
        self.handleIncoming(sip_screen.for_sippy(text), source, self.udp, MonoTime())

    def incomingRequest(self, msg: Any, checksum: Any, tids: Any, server: Any) -> None:
        """As sippy's, but the answers to a CANCEL and to what it cancels have the tag of the answers before."""
        cancelled = self.tserver.get(msg.getTId(wBRN=True)) if msg.getMethod() == "CANCEL" else None
        if cancelled is not None and cancelled.r487 is not None:
            to = cancelled.r487.getHFBody("to")
            if to.getTag() is None:
                to.setTag(getattr(cancelled, "to_tag", None) or uuid4().hex)
            msg.getHFBody("to").setTag(to.getTag())
        super().incomingRequest(msg, checksum, tids, server)

    def sendResponse(self, resp: Any, t: Any = None, *args: Any, **kwargs: Any) -> None:
        """As sippy's, with the headers that belong to our answers."""
        t = t or self.tserver[resp.getTId(wBRN=True)]
        if not hasattr(t, "within_call"):
            t.within_call = resp.getHFBody("to").getTag() is not None  # the first answer has the To of the request
        self.manners.complete(resp, t.within_call)
        super().sendResponse(resp, t, *args, **kwargs)
        t.to_tag = resp.getHFBody("to").getTag()

    def transmitMsg(self, userv: Any, msg: Any, *args: Any, **kwargs: Any) -> None:
        """As sippy's; answers that come this way belong to no transaction."""
        if isinstance(msg, SipResponse):
            to = msg.getHFBody("to")
            if to.getTag() is None:
                to.genTag()
            self.manners.complete(msg, within_call=False)
        super().transmitMsg(userv, msg, *args, **kwargs)

    def newTransaction(self, msg: Any, resp_cb: Any = None, **kwargs: Any) -> Any:
        """As sippy's, but failing soon when nobody answers, and by our socket whatever transport a Contact names:
        sippy refuses `transport=UDP`, as SIPp writes it."""
        kwargs["userv"] = self.udp
        transaction = super().newTransaction(msg, resp_cb, **kwargs)
        if transaction.teB is not None:
            transaction.teB.cancel()
        transaction.teB = Timeout(self.timerB, NO_RESPONSE_S, 1, transaction)
        return transaction

    def unreachable(self, address: tuple[str, int]) -> None:
        """Nobody listens at `address`: the requests that wait for its first answer fail with 503, as in sofia."""
        waiting = [t for t in self.tclient.values() if t.state is TRYING and t.address == address and t.teB]
        for transaction in waiting:
            transaction.teB.cancel()
            if transaction.resp_cb is not None:
                transaction.r408.setSCode(503, "Unreachable")
            self.timerB(transaction)

    def close(self) -> None:
        """Stop hearing and sending. Transactions under way run into their timers without doing anything."""
        self.cp_timer.cancel()
        self.req_cb = None
        self.udp.close()


class SipEndpoint:
    """A SIP address of ours: socket, transactions, and who gets the requests that begin something new."""

    def __init__(self, ip: str, port: int, on_request: Callable[[Any, Any], Any], manners: Manners) -> None:
        """On the SIP thread only. `on_request(request, transaction)` answers as sippy's `req_cb`. Raises OSError."""
        self.thread = SipThread.get()
        self.manners = manners
        self._udp = UdpSocket(self.thread, ip, port)
        self.transactions = Transactions(self._udp, on_request, manners)
        self.address = self._udp.address

    @property
    def sippy_config(self) -> dict[str, Any]:
        """What sippy's user agents want to be given."""
        return self.transactions.global_config

    @property
    def current_text(self) -> str:
        """The message that is being handled, as it goes to sippy."""
        return self.transactions.current_text

    def close(self) -> None:
        """Free the port."""
        self.transactions.close()
