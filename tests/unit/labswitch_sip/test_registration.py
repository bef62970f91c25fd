"""REGISTER and calls of agents: the digest decides."""

from __future__ import annotations

import pytest

from labswitch.phone import RegistrationFailed

WAIT_S = 8.0


def test_good_password(switch, agent):
    entry = switch.stack.registrations("internal")["alice"]
    assert entry.address == agent.address
    assert switch.registered.get(timeout=WAIT_S) == ("internal", "register", entry)
    agent.register(WAIT_S)
    agent.unregister(WAIT_S)
    assert switch.stack.registrations("internal") == {}
    told = [switch.registered.get(timeout=WAIT_S) for _ in range(2)]
    assert [what for _, what, _ in told] == ["register", "unregister"]
    assert (told[1][2].user, told[1][2].expires_s) == ("alice", 0)


def test_a_registration_that_is_not_renewed_expires(switch, make_phone):
    phone = make_phone("alice", registrar=switch.stack.address("internal"), password="wonderland")
    phone.register(WAIT_S, expires_s=1)
    phone.close()
    told = [switch.registered.get(timeout=WAIT_S) for _ in range(2)]
    assert [(what, entry.user) for _, what, entry in told] == [("register", "alice"), ("expire", "alice")]
    assert switch.stack.registrations("internal") == {}


def test_the_old_phones_goodbye_ends_the_new_ones_registration(switch, agent, make_phone):
    """As in FreeSWITCH with `multiple-registrations` false."""
    second = make_phone("alice", registrar=switch.stack.address("internal"), password="wonderland")
    second.register(WAIT_S)
    agent.unregister(WAIT_S)
    assert switch.stack.registrations("internal") == {}


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("mallory", "wonderland"), ("alice", "")])
def test_bad_password_or_user(switch, make_phone, user, password):
    phone = make_phone(user, registrar=switch.stack.address("internal"), password=password)
    with pytest.raises(RegistrationFailed) as caught:
        phone.register(WAIT_S)
    assert caught.value.sip_code == 403
    assert switch.stack.registrations("internal") == {}


def test_no_password_at_all(switch, make_phone):
    phone = make_phone("alice", registrar=switch.stack.address("internal"))
    with pytest.raises(RegistrationFailed) as caught:
        phone.register(WAIT_S)
    assert caught.value.sip_code == 401


def test_trunk_profile_registers_nobody(switch, external, make_phone):
    phone = make_phone("alice", registrar=external, password="wonderland")
    with pytest.raises(RegistrationFailed) as caught:
        phone.register(WAIT_S)
    assert caught.value.sip_code == 405


def test_newest_registration_wins_and_expired_ones_are_gone(switch, agent, make_phone, monkeypatch):
    second = make_phone("alice", registrar=switch.stack.address("internal"), password="wonderland")
    second.register(WAIT_S, expires_s=60)
    assert switch.stack.registrations("internal")["alice"].address == second.address
    import time

    now = time.monotonic()
    monkeypatch.setattr("labswitch.sip_registrar.time.monotonic", lambda: now + 61)
    assert switch.stack.registrations("internal") == {}


def test_agent_calls_with_digest(switch, agent):
    call = agent.call("8000")
    taken = switch.taken()
    assert (taken.invitation.profile, taken.invitation.authenticated_user) == ("internal", "alice")
    assert taken.invitation.from_host == "lab.example"
    taken.answer()
    call.wait_answered(WAIT_S)
    call.hangup()
    assert taken.told.end().disposition == "recv_bye"


@pytest.mark.parametrize(("password", "code"), [("wrong", 403), (None, 407)])
def test_agent_calls_without_the_right_password(switch, make_phone, password, code):
    phone = make_phone("alice", registrar=switch.stack.address("internal"), password=password)
    assert phone.call("8000").wait_ended(WAIT_S).sip_code == code
    assert switch.invited.empty()
