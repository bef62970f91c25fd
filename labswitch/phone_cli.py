"""`python -m labswitch.phone`: a caller or an agent on the command line."""

from __future__ import annotations

import argparse
import re
import sys
import time
import wave
from collections.abc import Sequence
from dataclasses import replace

from labswitch.phone import Behaviour, CallOver, Phone, PhoneCall, PhoneTimeout, RegistrationFailed

_ADDRESS = re.compile(r"(?P<ip>\d+\.\d+\.\d+\.\d+):(?P<port>\d{1,5})")
_STEP = re.compile(r"(?P<keys>[0-9*#A-D]+)|wait:(?P<wait>[\d.]+)|tone:(?P<hz>\d+)|hold:(?P<hold>[\d.]+)|sound")
_SOUND_TIMEOUT_S = 60.0

_STEPS_HELP = """what to do once the call is up, separated by commas: keys to press (`12#`), `wait:SECONDS`,
`tone:HZ` (wait until it is heard), `sound` (wait until anything is heard), `hold:SECONDS`"""


def address(text: str) -> tuple[str, int]:
    """`ip:port` of the command line."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not ip:port")
    return found["ip"], int(found["port"])


def steps(text: str) -> list[re.Match[str]]:
    """The steps of `--then`."""
    found = [_STEP.fullmatch(part.strip()) for part in text.split(",")]
    if None in found:
        raise argparse.ArgumentTypeError(f"can't read {text!r}")
    return [step for step in found if step is not None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, or 1 when the call wasn't answered or the registration was refused."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (CallOver, PhoneTimeout, RegistrationFailed) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labswitch.phone", description="A small SIP phone for the lab.")
    commands = parser.add_subparsers(required=True)

    call = commands.add_parser("call", help="call a number")
    call.add_argument("number")
    call.add_argument("--to", type=address, required=True, metavar="IP:PORT", help="where to send the call")
    call.add_argument("--as", dest="user", default="+420601000000", help="the caller's number (%(default)s)")
    call.add_argument("--name", default="", help="the caller's name")
    call.add_argument("--password", help="for a switch that asks for it")
    call.add_argument("--domain", default="127.0.0.1")
    call.add_argument("--then", type=steps, default=[], metavar="STEPS", help=_STEPS_HELP)
    call.add_argument("--talk", type=float, metavar="HZ", help="say a tone all the time")
    call.add_argument("--answer-within-s", type=float, default=30.0, help="give up after (%(default)s)")
    call.add_argument("--stay-s", type=float, default=0.0, help="stay on the line after the steps (%(default)s)")
    call.add_argument("--save", metavar="FILE.wav", help="write what was heard")
    call.set_defaults(run=_call)

    agent = commands.add_parser("agent", help="register and take calls until interrupted")
    agent.add_argument("user")
    agent.add_argument("--registrar", type=address, metavar="IP:PORT", help="without it the phone only listens")
    agent.add_argument("--password")
    agent.add_argument("--domain", default="127.0.0.1")
    agent.add_argument("--listen", type=address, default=("127.0.0.1", 0), metavar="IP:PORT", help="own address")
    agent.add_argument("--answer-after-s", type=float, default=1.0, help="how long it rings (%(default)s)")
    agent.add_argument("--hangup-after-s", type=float, help="how long it talks; without it, until the caller hangs up")
    agent.add_argument("--talk", type=float, metavar="HZ", help="the tone that it talks in")
    agent.add_argument("--behave", choices=("answer", "busy", "reject", "silent"), default="answer")
    agent.add_argument(
        "--auto-answer",
        action="store_true",
        help="answer at once where the call asks for it (Call-Info: answer-after=0)",
    )
    agent.add_argument("--calls", type=int, help="end after so many calls")
    agent.set_defaults(run=_agent)
    return parser


def _call(options: argparse.Namespace) -> int:
    with Phone(options.user, domain=options.domain, password=options.password) as phone:
        call = phone.call(options.number, options.to, caller_name=options.name)
        try:
            call.wait_answered(options.answer_within_s)
            _say("answered")
            call.talk(options.talk)
            for step in options.then:
                _do(call, step)
            if options.stay_s:
                _stay(call, options.stay_s)
        finally:
            call.hangup()
            if options.save:
                _save(call, options.save)
        _say(f"over: {call.end}")
    return 0


def _do(call: PhoneCall, step: re.Match[str]) -> None:
    _say(step[0])
    if step["keys"]:
        call.press(step["keys"])
    elif step["wait"]:
        call.wait_heard_s(call.heard_s() + float(step["wait"]), float(step["wait"]) + _SOUND_TIMEOUT_S)
    elif step["hz"]:
        _say(f"heard at {call.wait_heard_tone(float(step['hz']), _SOUND_TIMEOUT_S):.2f} s")
    elif step["hold"]:
        call.hold()
        call.wait_heard_s(call.heard_s() + float(step["hold"]), float(step["hold"]) + _SOUND_TIMEOUT_S)
        call.resume()
    else:
        _say(f"heard at {call.wait_heard_any(_SOUND_TIMEOUT_S):.2f} s")


def _stay(call: PhoneCall, seconds: float) -> None:
    try:
        call.wait_ended(seconds)
    except PhoneTimeout:
        return


def _save(call: PhoneCall, path: str) -> None:
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(call.heard().astype("<i2").tobytes())


def _agent(options: argparse.Namespace) -> int:
    behaviours = {
        "answer": Behaviour.answering(options.answer_after_s, options.talk, options.hangup_after_s),
        "busy": Behaviour.busy(),
        "reject": Behaviour.reject(),
        "silent": Behaviour.silent(),
    }
    with Phone(
        options.user,
        *options.listen,
        domain=options.domain,
        registrar=options.registrar,
        password=options.password,
        behaviour=replace(behaviours[options.behave], auto_answer=options.auto_answer),
    ) as phone:
        if options.registrar:
            phone.register()
        _say(f"{options.user} at {phone.address[0]}:{phone.address[1]}")
        taken = 0
        while options.calls is None or taken < options.calls:
            try:
                call = phone.wait_call(3600)
            except PhoneTimeout:
                continue
            taken += 1
            _say(f"call from {call.caller_number} {call.caller_name}".rstrip())
            _say(f"over: {call.wait_ended(24 * 3600)}")
    return 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stdout, flush=True)
