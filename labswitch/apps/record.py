"""record_session, stop_record_session, record_session_mask, record_session_unmask, and record for messages."""

from __future__ import annotations

from labswitch import recording
from labswitch.apps import app
from labswitch.audio import level
from labswitch.channel import Channel
from labswitch.execute import run_messages
from labswitch.leg import FRAME_MS

_SILENCE_LEVEL = 200
_DEFAULT_LIMIT_S = 120


@app("record_session", needs_media=True)
async def record_session(channel: Channel, data: str) -> None:
    """`<path> [+<seconds>]`: record both sides until told otherwise."""
    path, _, limit = data.rpartition(" +")
    recording.start(channel, path or data, int(limit) if path and limit.isdigit() else 0)


@app("stop_record_session", after_hangup=True)
async def stop_record_session(channel: Channel, data: str) -> None:
    """`<path>` exactly as it was started with, or `all`."""
    recording.stop(channel, data)


@app("record_session_mask")
async def record_session_mask(channel: Channel, data: str) -> None:
    """Silence in the recording from now on."""
    recording.mask(channel, data, True)


@app("record_session_unmask")
async def record_session_unmask(channel: Channel, data: str) -> None:
    """Voices again."""
    recording.mask(channel, data, False)


@app("record", needs_media=True)
async def record(channel: Channel, data: str) -> None:
    """`<path> [<limit_s>] [<level>] [<silence_s>]`: what the caller says, ended by a terminator key or silence."""
    words = [*data.split(), "", "", ""]
    limit_s = int(words[1]) if words[1].isdigit() else _DEFAULT_LIMIT_S
    quiet_limit = int(words[3]) * 1000 // FRAME_MS if words[3].isdigit() else 0
    threshold = int(words[2]) if words[2].isdigit() else _SILENCE_LEVEL
    terminators = channel.variables.get("playback_terminators", "*")
    terminators = {"any": "1234567890*#", "none": ""}.get(terminators.lower(), terminators)
    channel.set("playback_terminator_used", None)
    if not recording.start(channel, words[0], limit_s):
        return
    quiet = 0
    while channel.ready and words[0] in channel.recordings:
        await run_messages(channel)
        key = channel.take_key()
        if key is not None and key in terminators:
            channel.set("playback_terminator_used", key)
            break
        if channel.stop_app:
            channel.stop_app = False
            break
        quiet = 0 if level(await channel.frame()) > threshold else quiet + 1
        if quiet_limit and quiet >= quiet_limit:
            break
    recording.stop(channel, words[0])
