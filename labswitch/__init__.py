"""The lab switch: a small, readable stand-in for FreeSWITCH where none is installed. Not for production.

One asyncio process speaks real SIP and RTP to phones and trunks and FreeSWITCH's event socket to controllers, and
reads the configuration directory that a real FreeSWITCH is started with. It knows nothing of the engine.

    python -m labswitch --conf DIR [--state DIR]

Two halves meet in `leg`: below it SIP, RTP and the registrar (`sip`, `rtp`, `phone`, ...), above it the core:

- `config`, `dialplan`: what stands in the configuration directory
- `switch`: the channels that are there, and whoever listens
- `channel`, `session`, `execute`, `park`, `transfer`, `bridge`, `originate`: a channel's life
- `apps/`: applications of the dialplan and of `sendmsg`; `api/`: commands of `api` and `bgapi`
- `event`, `headers`, `esl`, `esl_commands`: events and the sockets that carry them
- `sound`, `audio`, `recording`: prompts and recordings
- `virtual`, `controller`: scripted parties, a jumping clock and a bare controller, for tests

How like a real FreeSWITCH it is, is held by tests/captured, which plays captured conversations to it.
"""
