"""playback, and the playing of prompts that other applications share; echo, send_dtmf and queue_dtmf."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from labswitch.apps import app
from labswitch.channel import Channel
from labswitch.execute import run_messages
from labswitch.sound import RATE_HZ, Sound, open_sound

OnKey = Callable[[str], bool]
"""Told every key that is pressed meanwhile; True ends the playing."""


class Played(Enum):
    """How playing ended."""

    TO_THE_END = auto()
    BROKEN_OFF = auto()
    MISSING = auto()
    CALL_LEFT = auto()


_RESPONSES = {Played.MISSING: "FILE NOT FOUND", Played.CALL_LEFT: "PLAYBACK ERROR"}


@app("playback", needs_media=True)
async def playback(channel: Channel, data: str) -> None:
    """`<sound>[@@<sample>]`; ended by the keys in `playback_terminators` (`*` unless set; `any`, `none`)."""
    name, _, skip = data.partition("@@")
    terminators = channel.variables.get("playback_terminators", "*")
    terminators = {"any": "1234567890*#", "none": ""}.get(terminators.lower(), terminators)
    channel.set("playback_terminator_used", None)

    def ends(key: str) -> bool:
        if key in terminators:
            channel.set("playback_terminator_used", key)
            return True
        return False

    played = await play(channel, name, ends, int(skip) if skip.isdigit() else 0)
    channel.set("current_application_response", _RESPONSES.get(played, "FILE PLAYED"))


async def play(channel: Channel, name: str, on_key: OnKey | None = None, skip_samples: int = 0) -> Played:
    """Play one sound. Keys that nobody asks for (`on_key` None) stay in the buffer."""
    try:
        sound = open_sound(name, channel.switch.sounds, skip_samples)
    except FileNotFoundError:
        return Played.MISSING
    about = [("Playback-File-Path", name)]
    if name.startswith("tone_stream:"):
        about.insert(0, ("Playback-File-Type", "tone_stream"))
    channel.fire("PLAYBACK_START", last=about)
    played = await _run(channel, sound, on_key)
    channel.set("playback_last_offset_pos", str(sound.samples))
    channel.set("playback_seconds", str(sound.samples // RATE_HZ))
    channel.set("playback_ms", str(sound.samples * 1000 // RATE_HZ))
    channel.set("playback_samples", str(sound.samples))
    status = "break" if played is Played.BROKEN_OFF else "done"
    channel.fire("PLAYBACK_STOP", last=[*about, ("Playback-Status", status)])
    return played


async def _run(channel: Channel, sound: Sound, on_key: OnKey | None) -> Played:
    while True:
        if not channel.ready:
            return Played.CALL_LEFT
        if channel.stop_app:
            channel.stop_app = False
            return Played.BROKEN_OFF
        await run_messages(channel)
        if not channel.ready:
            # An application inside this one ended the call: FreeSWITCH calls that played (captured).
            return Played.TO_THE_END
        if on_key is not None:
            key = channel.take_key()
            if key is not None and on_key(key):
                return Played.BROKEN_OFF
        frame = sound.read()
        if frame is None:
            return Played.TO_THE_END
        channel.write(frame)
        await channel.frame()


@app("echo", needs_media=True)
async def echo(channel: Channel, data: str) -> None:
    """Say to the party what it says."""
    while channel.ready:
        await run_messages(channel)
        channel.take_key()
        if channel.stop_app:
            channel.stop_app = False
            return
        channel.write(await channel.frame())


@app("send_dtmf", needs_media=True)
async def send_dtmf(channel: Channel, data: str) -> None:
    """`<keys>[@<ms>]` towards the party; `w` and `W` wait half a second and a second."""
    keys, _, duration = data.partition("@")
    duration_ms = int(duration) if duration.isdigit() else 100
    for key in keys:
        if not channel.ready or channel.leg is None:
            return
        if key in "wW":
            for _ in range(25 if key == "w" else 50):
                await channel.frame()
        else:
            channel.leg.send_dtmf(key, duration_ms)
            for _ in range((duration_ms + 60) // 20):
                await channel.frame()


@app("queue_dtmf")
async def queue_dtmf(channel: Channel, data: str) -> None:
    """As if the party had pressed these keys."""
    for key in data.partition("@")[0]:
        channel.on_dtmf(key, 100, "app")
