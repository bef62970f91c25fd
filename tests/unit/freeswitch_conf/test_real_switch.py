"""The rendered directory on a real FreeSWITCH: what the pages of `docs/freeswitch.md` say, measured."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.unit.freeswitch_conf.real_switch import (
    AGENT_PASSWORD,
    DOMAIN,
    PASSWORD,
    Engine,
    Handler,
    RealSwitch,
    Wire,
    program,
    running,
    settings_in,
)
from tests.unit.freeswitch_conf.sip_phone import Phone

pytestmark = [
    pytest.mark.freeswitch_only,
    pytest.mark.skipif(program() is None, reason="no FreeSWITCH (FREESWITCH_BIN or freeswitch on PATH)"),
]

CALLER = "+420601234567"
DID = "+420221234101"
PhoneMaker = Callable[..., Phone]


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSwitch]:
    base = tmp_path_factory.mktemp("freeswitch")
    with running(settings_in(base, emergency_caller_id=DID), base) as switch:
        yield switch


@pytest.fixture
def make(switch: RealSwitch) -> Iterator[PhoneMaker]:
    """Makes phones: callers on the trunk's profile, or `agent=True` with the right password."""
    phones: list[Phone] = []

    def phone(user: str = CALLER, *, agent: bool = False, password: str = AGENT_PASSWORD, **others: Any) -> Phone:
        external, internal = switch.settings.sip_external.port, switch.settings.sip_internal.port
        made = Phone(user, internal, DOMAIN, password, **others) if agent else Phone(user, external, **others)
        phones.append(made)
        return made

    yield phone
    for made in phones:
        made.close()


@pytest.fixture
def operator(switch: RealSwitch, make: PhoneMaker) -> Phone:
    """The far end of the trunk."""
    return make("operator", port=int(switch.settings.trunks[0].proxy.rpartition(":")[2]))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def finish(cause: str, wire: Wire, headers: Mapping[str, str]) -> None:
    """An engine that answers the call and ends it."""
    wire.execute("set", "cw_seen=1")
    wire.execute("answer")
    wire.execute("hangup", cause)
    time.sleep(0.3)


def die(wire: Wire, headers: Mapping[str, str]) -> None:
    """An engine that answers the call and dies."""
    wire.execute("set", "cw_seen=1")
    wire.execute("answer")
    time.sleep(0.1)


def test_it_loads_without_a_complaint(switch: RealSwitch) -> None:
    complaints = re.findall(r"\[(?:WARNING|ERR|CRIT|ALERT)\] (.*)", switch.log())

    assert [text for text in complaints if "MSG Thread 0 Started" not in text] == []
    status = switch.api("sofia status")
    assert re.search(r"external\s+profile.*RUNNING", status)
    assert re.search(r"internal\s+profile.*RUNNING", status)
    assert re.search(r"external::operator\s+gateway.*NOREG", status)
    assert "100 session(s) max" in switch.api("status")
    assert switch.api("switchname") == "switch-1"


@pytest.mark.req("R123")
def test_the_event_socket_takes_its_own_password_only_and_expands_no_api(switch: RealSwitch) -> None:
    for password, answer in ((PASSWORD, "+OK accepted"), ("ClueCon", "-ERR invalid"), ("", "-ERR invalid")):
        with Wire.open(switch.settings.event_socket.port) as wire:
            wire.read()
            assert wire.command(f"auth {password}")[0]["Reply-Text"] == answer
    assert switch.api("eval ${system(id)}") == "<API execute Permission Denied>"


@pytest.mark.req("R123")
def test_the_event_socket_turns_strangers_away(switch: RealSwitch) -> None:
    address = ("127.0.0.1", switch.settings.event_socket.port)
    with socket.create_connection(address, 5, source_address=("127.0.0.2", 0)) as connection:
        assert b"rude-rejection" in connection.recv(1000)


def test_without_an_engine_the_call_stays_unanswered_through_the_rounds_then_hears_the_apology(
    switch: RealSwitch, make: PhoneMaker
) -> None:
    caller, began = make(), time.monotonic()

    dialog = caller.call(DID)

    assert dialog.statuses == [100, 200]
    # The pauses of 100, 200 and 200 ms.
    assert 0.5 <= dialog.responses[-1].at - began < 1.5
    assert 'cause=41;text="NORMAL_TEMPORARY_FAILURE"' in caller.wait("BYE", 10).get("reason")
    # The prompt is missing here, so that is the 4 s of tone.
    assert 4 <= time.monotonic() - dialog.responses[-1].at < 6


def test_an_engine_that_comes_back_between_the_rounds_gets_the_call(
    switch: RealSwitch, make: PhoneMaker, pool: ThreadPoolExecutor
) -> None:
    caller = make()
    call = pool.submit(caller.call, DID)
    time.sleep(0.15)
    with Engine(switch.settings.engines[1], (partial(finish, "NORMAL_CLEARING"),)) as engine:
        assert call.result().statuses == [100, 200]
        assert "NORMAL_CLEARING" in caller.wait("BYE").get("reason")
        time.sleep(0.8)

    # Nothing ran on after the engine's own hangup.
    assert [seen["variable_cw_attempt"] for seen in engine.seen] in (["2"], ["3"])
    assert engine.seen[0]["variable_cw_managed"] == "true"
    assert engine.seen[0]["Answer-State"] == "ringing"


def test_when_engines_die_the_same_call_is_handed_on(switch: RealSwitch, make: PhoneMaker) -> None:
    caller = make()
    with Engine(switch.settings.engines[0], (die, die, partial(finish, "USER_BUSY"))) as engine:
        assert caller.call(DID).statuses == [100, 200]
        assert 'cause=17;text="USER_BUSY"' in caller.wait("BYE").get("reason")
        time.sleep(0.3)

    assert [seen["variable_cw_attempt"] for seen in engine.seen] == ["1", "2", "3"]
    assert len({seen["Unique-ID"] for seen in engine.seen}) == 1
    assert [seen.get("variable_cw_seen") for seen in engine.seen] == [None, "1", "1"]


def test_after_a_bridge_the_call_comes_back_through_the_resume_extension(
    switch: RealSwitch, make: PhoneMaker, pool: ThreadPoolExecutor
) -> None:
    agent, caller = make("jana", agent=True), make()
    assert agent.register() == 200

    def connect(wire: Wire, headers: Mapping[str, str]) -> None:
        wire.execute("set", "cw_seen=1")
        wire.execute("set", "transfer_after_bridge=cw_resume:XML:public")
        wire.execute("answer")
        answered = pool.submit(agent.answer)
        leg = switch.api(f"originate sofia/internal/jana%{DOMAIN} &park()").split()[1]
        dialog = answered.result()
        switch.api(f"uuid_bridge {headers['Unique-ID']} {leg}")
        time.sleep(0.3)
        agent.hang_up(dialog)

    handlers: tuple[Handler, ...] = (connect, partial(finish, "NORMAL_CLEARING"))
    with Engine(switch.settings.engines[0], handlers) as engine:
        assert caller.call(DID).statuses == [100, 200]
        caller.wait("BYE")

    first, back = engine.seen
    assert back["Unique-ID"] == first["Unique-ID"]
    assert (back["Caller-Destination-Number"], back["variable_cw_attempt"]) == ("cw_resume", "1")
    assert back["variable_last_bridge_hangup_cause"] == "NORMAL_CLEARING"


@pytest.mark.parametrize("number", ["cw_resume", "%63w_resume", "cw_resume%0a", "cw_emergency_112"])
def test_the_resume_extension_cannot_be_dialled(switch: RealSwitch, make: PhoneMaker, number: str) -> None:
    with Engine(switch.settings.engines[0], (partial(finish, "NORMAL_CLEARING"),)) as engine:
        assert make().call(number).statuses[-1] == 404
        assert make("jana", agent=True).call(number).statuses[-1] == 404

    assert engine.seen == []


def test_phones_register_with_their_own_password_and_as_themselves(switch: RealSwitch, make: PhoneMaker) -> None:
    assert make("jana", agent=True).register() == 200
    assert make("jana", agent=True, password="wrong-password").register() == 403
    assert make("petr", agent=True).register(as_user="jana") == 403
    assert make("nobody", agent=True).register() == 403
    assert make("jana").register() == 405
    assert make("jana", agent=True, password="").call(DID).statuses[-1] == 407


def test_what_the_engine_is_told_when_a_phone_cannot_be_reached(switch: RealSwitch) -> None:
    answers = {
        f"sofia/internal/petr%{DOMAIN}": "-ERR USER_NOT_REGISTERED",
        f"sofia/internal/nobody%{DOMAIN}": "-ERR USER_NOT_REGISTERED",
        "sofia/gateway/nowhere/123": "-ERR INVALID_GATEWAY",
    }
    assert {target: switch.api(f"originate {target} &park()") for target in answers} == answers


@pytest.mark.req("R13")
def test_an_emergency_call_gets_out_without_an_engine(
    switch: RealSwitch, make: PhoneMaker, operator: Phone, pool: ThreadPoolExecutor
) -> None:
    agent = make("jana", agent=True)
    answered = pool.submit(operator.answer)
    began = time.monotonic()

    dialog = agent.call("112")

    assert dialog.statuses == [100, 180, 200]
    assert dialog.responses[-1].at - began < 1
    there = answered.result()
    assert there.invitation.startswith("INVITE sip:112@")
    assert f"sip:{DID}@" in there.remote
    assert agent.hang_up(dialog) == 200
    operator.wait("BYE")


@pytest.mark.req("R13")
def test_an_emergency_call_that_was_through_is_not_connected_again(
    switch: RealSwitch, make: PhoneMaker, operator: Phone, pool: ThreadPoolExecutor
) -> None:
    agent = make("jana", agent=True)

    def bridge_and_die(wire: Wire, headers: Mapping[str, str]) -> None:
        wire.execute("bridge", "sofia/gateway/operator/112")
        time.sleep(0.5)

    with Engine(switch.settings.engines[0], (bridge_and_die,)):
        answered = pool.submit(operator.answer)
        agent.call("112")
        time.sleep(0.6)
    operator.hang_up(answered.result())

    agent.wait("BYE")
    with pytest.raises(TimeoutError):
        operator.wait("INVITE", 0.5)


@pytest.mark.req("R12")
def test_in_an_outage_a_number_is_sent_to_its_other_line(
    make: PhoneMaker, operator: Phone, pool: ThreadPoolExecutor
) -> None:
    caller = make()
    answered = pool.submit(operator.answer)

    dialog = caller.call("221234199")

    assert dialog.statuses == [100, 180, 200]
    there = answered.result()
    assert there.invitation.startswith("INVITE sip:+420601000000@")
    assert f"sip:{CALLER}@" in there.remote
    operator.hang_up(there)
    assert "NORMAL_CLEARING" in caller.wait("BYE").get("reason")


@pytest.mark.req("R12")
def test_when_the_other_line_fails_too_the_caller_hears_the_apology(
    make: PhoneMaker, operator: Phone, pool: ThreadPoolExecutor
) -> None:
    caller = make()
    refused = pool.submit(operator.refuse, "486 Busy Here")

    assert caller.call("+420221234199").statuses[-1] == 200

    refused.result()
    assert "NORMAL_TEMPORARY_FAILURE" in caller.wait("BYE", 10).get("reason")


def test_trunk_calls_come_from_listed_addresses_only(switch: RealSwitch, make: PhoneMaker) -> None:
    with Engine(switch.settings.engines[0], (partial(finish, "NORMAL_CLEARING"),)) as engine:
        assert make(address="127.0.0.2").call(DID).statuses == [403]

    assert engine.seen == []


def test_a_call_without_a_common_codec_is_refused_before_the_engine_sees_it(
    switch: RealSwitch, make: PhoneMaker
) -> None:
    with Engine(switch.settings.engines[0], (partial(finish, "NORMAL_CLEARING"),)) as engine:
        assert make(payload="18 G729").call(DID).statuses == [488]

    assert engine.seen == []


def test_a_caller_cannot_transfer_and_keys_come_by_info_too(switch: RealSwitch, make: PhoneMaker) -> None:
    caller = make()

    def menu(wire: Wire, headers: Mapping[str, str]) -> None:
        wire.execute("answer")
        silence = "silence_stream://200"
        wire.execute("play_and_get_digits", f"1 1 1 3000 # {silence} {silence} cw_digits [0-9]")
        wire.execute("hangup", "NORMAL_CLEARING")
        time.sleep(1)

    with Engine(switch.settings.engines[0], (menu,)) as engine:
        dialog = caller.call(DID)
        assert caller.refer(dialog, "+90012345") == 405
        time.sleep(0.4)
        began = time.monotonic()
        assert caller.press(dialog, "7") == 200
        caller.wait("BYE")

    # Well before the 3 s of the menu: the key was heard.
    assert time.monotonic() - began < 2
    assert len(engine.seen) == 1
