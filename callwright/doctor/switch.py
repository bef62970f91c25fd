"""A switch over its event socket: lets us in, has what we need, refuses what it must refuse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from callwright.doctor import switch_access, switch_calls, switch_files
from callwright.doctor.configuration import readable_by_others
from callwright.doctor.finding import ANSWER_WITHIN_S, Finding, Subject, fail, ok, unfinished, warn, words_of
from callwright.local import event_socket
from dialplan.settings import PUBLIC_PASSWORD
from engine.config import Switch

LEAST = (1, 10)
MODULES = {
    "mod_event_socket": "no call reaches an engine",
    "mod_commands": "no agent can be rung and no leg bridged",
    "mod_dptools": "no prompt, no digits, no recording",
    "mod_dialplan_xml": "no call finds its way",
    "mod_sofia": "no SIP: no calls at all",
    "mod_sndfile": "no prompt is heard and nothing is recorded",
    "mod_hash": "counters of this switch fail",
    "mod_loopback": "legs through the dialplan fail",
    "mod_tone_stream": "no ringback and no congestion tone",
    "mod_logfile": "the switch has no log file",
    "mod_console": "`fs_cli` shows no log",
}
"""What the rendered modules.conf.xml loads, with what breaks without it."""
_SPARE = ("mod_logfile", "mod_console")
_NUMBER = re.compile(r"(\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Asked:
    """A switch that has let us in."""

    subject: Subject
    switch: Switch
    line: event_socket.Line

    def ask(self, command: str) -> str:
        """The answer to an `api` command, without the spaces around it."""
        return self.line.ask(command)

    def configuration(self, name: str) -> dict[str, str]:
        """The settings of a configuration file as the switch has read them."""
        root = self.element(f"configuration configuration name {name}.conf")
        return {} if root is None else {p.get("name", ""): p.get("value", "") for p in root.iterfind("settings/param")}

    def element(self, place: str) -> etree._Element | None:
        """What `xml_locate` finds there."""
        found = self.ask(f"xml_locate {place}")
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
        return etree.fromstring(found.encode(), parser) if found.startswith("<") else None


def examine(subject: Subject, switch: Switch) -> Iterator[Finding]:
    """Everything about one switch, over one connection."""
    password = switch.password.get_secret_value()
    try:
        line = event_socket.Line(switch.host, switch.port, password, ANSWER_WITHIN_S)
    except event_socket.NotOnTheList:
        advice = "name this machine in apply-inbound-acl (cw_control: the hosts of dialplan.engines), then reloadacl"
        yield fail(f"{switch.host}:{switch.port} does not let this address in", advice)
        return
    except event_socket.WrongPassword:
        yield _refused(switch)
        return
    except OSError as error:
        advice = "check host and port, that it runs, and the listen-ip of its event socket"
        yield fail(f"{switch.host}:{switch.port} does not answer: {words_of(error)}", advice)
        return
    yield ok("it takes the password of the configuration")
    with line:
        for check in CHECKS:
            try:
                yield from check(Asked(subject, switch, line))
            except OSError as error:
                yield fail(f"it answers no more: {words_of(error)}", "its log says why; it may be overloaded")
                return
            except Exception as error:  # noqa: BLE001 - the other checks go on
                yield unfinished(error)


def _refused(switch: Switch) -> Finding:
    """With the public password tried once: whoever is in the network would."""
    try:
        event_socket.Line(switch.host, switch.port, PUBLIC_PASSWORD, ANSWER_WITHIN_S).close()
    except (OSError, event_socket.Refused):
        advice = "give `password` the value of event_socket.conf.xml there"
        return fail(f"{switch.host}:{switch.port} does not take the password of the configuration", advice)
    advice = "render its configuration with a password of its own and restart it: callwright dialplan render"
    return fail(f"{switch.host}:{switch.port} takes FreeSWITCH's public default password", advice)


def version(asked: Asked) -> Iterator[Finding]:
    """Which switch it is, and under which name."""
    full, short = asked.ask("version"), asked.ask("version short")
    if "lab switch" in full:
        yield ok("the lab switch: for trying out")
    elif tuple(int(part) for part in re.findall(r"\d+", short)[:2]) < LEAST:
        yield fail(f"FreeSWITCH {short} is too old", f"{'.'.join(map(str, LEAST))} is the least")
    else:
        yield ok(f"FreeSWITCH {short}")
    name = asked.ask("switchname")
    if name != asked.switch.name:
        several = len(asked.subject.config.switches) > 1
        words = "its recordings are not known as ours" + (", and its calls cannot be controlled" if several else "")
        advice = f"give both the same name ({words}): dialplan.switch_name, or switches.name"
        yield fail(f"it calls itself {name}, the configuration {asked.switch.name}", advice)
    if " is ready" not in asked.ask("status"):
        yield fail("it takes no calls (not ready)", "fs_cli -x 'fsctl resume'")


def modules(asked: Asked) -> Iterator[Finding]:
    """What is loaded."""
    missing = [name for name in MODULES if asked.ask(f"module_exists {name}") != "true"]
    for name in missing:
        advice = f"without it {MODULES[name]}: install it, then fs_cli -x 'load {name}'; it stands in modules.conf.xml"
        yield (warn if name in _SPARE else fail)(f"{name} is not loaded", advice)
    if not missing:
        yield ok(f"all {len(MODULES)} modules are loaded")


def expansion(asked: Asked) -> Iterator[Finding]:
    """Whether `${command(…)}` in an argument runs the command: tried with `echo`, which only says what it is given."""
    word = "callwright-doctor"
    if asked.ask(f"eval ${{echo({word})}}") == word:
        advice = 'in switch.conf.xml <param name="api-expansion" value="false"/>, as the rendered one has it; restart'
        yield fail("commands in arguments are run: ${system(…)} in one of them is a shell (api-expansion)", advice)
    else:
        yield ok("commands in arguments are not run (api-expansion is off)")


def limits(asked: Asked) -> Iterator[Finding]:
    """Whether it takes as many calls as the configuration says."""
    plan = asked.subject.config.dialplan
    wanted = {
        "max_sessions": (plan.max_sessions, "dialplan.max_sessions", "channels at once"),
        "sps": (plan.sessions_per_second, "dialplan.sessions_per_second", "new channels a second"),
    }
    for name, (number, field, words) in wanted.items():
        found = _NUMBER.search(asked.ask(f"fsctl {name}"))
        if found and int(found[1]) < number:
            advice = f"callwright dialplan render and a restart; until then fs_cli -x 'fsctl {name} {number}'"
            yield warn(f"{found[1]} {words}, {field} says {number}", advice)
        elif found:
            yield ok(f"{found[1]} {words}")


def assembled(asked: Asked) -> Iterator[Finding]:
    """FreeSWITCH writes its whole configuration, passwords included, into its log directory for everybody to read."""
    file = Path(asked.ask("global_getvar log_dir")) / "freeswitch.xml.fsxml"
    if file.is_absolute() and readable_by_others(file):
        advice = f"chmod 0700 {file.parent}; with systemd UMask=0077"
        yield warn(f"{file} holds passwords and everybody on this machine may read it", advice)


Check = Callable[[Asked], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    *(version, modules, expansion, limits, assembled),
    *(switch_access.listens, switch_access.trunks),
    *(switch_calls.profiles, switch_calls.gateways, switch_calls.dialplan, switch_calls.media),
    *(switch_files.sounds, switch_files.recordings),
)
