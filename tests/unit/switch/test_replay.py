"""Conversations with a real FreeSWITCH, played again to the adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

from engine.switch.adapter import SwitchChannel
from engine.switch.outbound import OutboundSession
from engine.switch.port import ChannelGone, NotPlayed, Played, SwitchLost
from tests.captured.conversation import Turn, conversation
from tests.unit.switch.peer import Peer, api, pair, reply


class Replay:
    """Answers with what FreeSWITCH answered. Each application of the capture is played when the engine starts it.

    What the capture's engine did otherwise (its subscriptions, its ids) is answered or replaced.
    """

    def __init__(self, peer: Peer, name: str) -> None:
        self.peer = peer
        turns = conversation(name)
        at = next(number for number, turn in enumerate(turns) if turn.head == b"connect")
        self._block = turns[at + 1]
        self._scenes = self._scenes_of(turns[at + 2 :])
        self._greenlet = gevent.spawn(self._run)

    @staticmethod
    def _scenes_of(turns: list[Turn]) -> list[tuple[Turn, list[Turn]]]:
        scenes: list[tuple[Turn, list[Turn]]] = []
        for turn in turns:
            gone = scenes and any(each.value("Answer-State") == "hangup" for each in scenes[-1][1])
            if turn.side == "engine" and not gone:
                scenes.append((turn, []))
            elif turn.side == "switch" and scenes:
                scenes[-1][1].append(turn)
        return [scene for scene in scenes if scene[0].head.startswith(b"sendmsg")]

    def _run(self) -> None:
        while (command := self.peer.read(deadline_s=60)) is not None:
            if command.line == "connect":
                self.peer.send(self._block.wire)
            elif command.line == "sendmsg" and self._scenes:
                self._play(command.app, command.event_uuid)
            elif command.line.startswith("api uuid_answer "):
                # The captured engine ran the application; its completion is one that nobody waits for.
                self.peer.send(api("+OK\n"))
                self._play("answer", "", replies=False)
            else:
                self.peer.send(api("+OK\n") if command.line.startswith("api") else reply())

    def _play(self, app: str, event_uuid: str, *, replies: bool = True) -> None:
        asked, answers = self._scenes.pop(0)
        assert asked.value("execute-app-name") == app
        theirs = asked.value("Event-UUID").encode()
        ours = event_uuid.encode() or theirs
        for turn in answers:
            name = turn.value("Event-Name")
            if (replies and not name) or name in ("CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP_COMPLETE", "DTMF"):
                assert len(theirs) == len(ours)
                self.peer.send(turn.wire.replace(theirs, ours))


@contextmanager
def channel_of(name: str) -> Iterator[SwitchChannel]:
    with pair() as (sock, peer):
        replay = Replay(peer, name)
        channel = SwitchChannel(OutboundSession(("127.0.0.1", 1), sock))
        yield channel
        channel.close()
        replay._greenlet.kill()


def test_caller_hangs_up_while_a_prompt_plays() -> None:
    with channel_of("caller_hangs_up") as channel:
        assert (channel.info.ani, channel.info.did) == ("+420601234567", "100")
        channel.answer()
        with pytest.raises(ChannelGone) as gone:
            channel.play(["/srv/prompts/long.wav"])
        end = gone.value.end
        assert (end.uuid, end.cause, end.by_remote) == (channel.info.uuid, "NORMAL_CLEARING", True)
        assert end.variables["sip_call_id"] == channel.info.sip_call_id
        with pytest.raises(ChannelGone):
            channel.play(["/srv/prompts/long.wav"])


def test_a_key_a_prompt_a_missing_prompt_and_an_unknown_application() -> None:
    with channel_of("menu_digit") as channel:
        session = channel._session
        assert isinstance(session, OutboundSession)
        channel.answer()
        assert session.play_and_get_digits(1, 1, 3, 3000, variable="choice") == "1"
        assert channel._keys.take() == "1"
        assert channel.play(["/srv/prompts/prompt.wav"]) == Played()
        assert channel.play(["/nonexistent.wav"]) == NotPlayed("/nonexistent.wav: FILE NOT FOUND")
        with pytest.raises(ChannelGone) as gone:
            session.call_command("nosuchapp", "x", block=True)
        assert gone.value.end.cause == "DESTINATION_OUT_OF_ORDER"
        assert gone.value.end.by_remote is False


def test_the_call_leaves_for_a_bridge() -> None:
    with channel_of("return_after_bridge") as channel:
        channel.answer()
        channel._session.start("multiset", "^^;hangup_after_bridge=false;transfer_after_bridge=resume:XML:public")
        with pytest.raises(SwitchLost):
            channel.wait_end(5)
        assert channel.end is None


def test_headers_that_the_caller_wrote_reach_nobody() -> None:
    with channel_of("header_injection") as channel:
        assert "ua" not in channel.info.variables
        assert channel.info.variables["sip_user_agent"].endswith("\nvariable_ua: evil")
        channel.answer()
        session = channel._session
        with pytest.raises(ChannelGone) as gone:
            session.wait(session.start("hangup"), 5)
        assert gone.value.end.variables.get("ua") is None
