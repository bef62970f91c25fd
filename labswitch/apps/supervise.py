"""eavesdrop: a supervisor listens, whispers to one side or speaks to both."""

from __future__ import annotations

from labswitch.apps import app
from labswitch.audio import mix
from labswitch.channel import Channel
from labswitch.config import is_true
from labswitch.execute import run_messages


@app("eavesdrop", needs_media=True)
async def eavesdrop(channel: Channel, data: str) -> None:
    """`<uuid>`. With `eavesdrop_enable_dtmf`: 1 speak to that party, 2 to the one it talks to, 3 to both, 0 none."""
    target = channel.switch.find(data.strip())
    if target is None:
        return
    heard: list[bytes] = []

    def listen(read: bytes, said: bytes) -> None:
        heard.append(mix(read, said))

    mode = "1" if is_true(channel.variables.get("eavesdrop_whisper_aleg")) else "0"
    mode = "2" if is_true(channel.variables.get("eavesdrop_whisper_bleg")) else mode
    keys = is_true(channel.variables.get("eavesdrop_enable_dtmf"))
    target.listeners.append(listen)
    try:
        while channel.ready and target.up:
            await run_messages(channel)
            key = channel.take_key()
            if keys and key is not None and key in "0123":
                mode = key
            spoken = await channel.frame()
            if mode in "13":
                target.whispered.append(spoken)
            if mode in "23" and target.bridge_peer is not None:
                target.bridge_peer.whispered.append(spoken)
            if heard:
                channel.write(heard[-1])
                heard.clear()
    finally:
        target.listeners.remove(listen)
