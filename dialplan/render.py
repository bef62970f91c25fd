"""A complete FreeSWITCH configuration directory from the templates and one node's settings.

The only module of the package that touches files: it reads the templates and writes the directory. The same settings
give the same bytes, so that a change is seen with any diff; nothing is written where nothing changed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from lxml import etree

from dialplan import contexts, xml
from dialplan.faults import Collector, Fault, SettingsError, XmlError
from dialplan.settings import LOG_LEVELS, RenderSettings, SipListen

TRUNKS_LIST = "cw_trunks"
"""Access list of the external profile."""
CONTROL_LIST = "cw_control"
"""Access list of the event socket."""

_PLACEHOLDER = re.compile(r"@\{([a-z_.]+)\}")
_SECRET = re.compile(r'(name="password" value=")[^"]*"')


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What `render` did, paths relative to the directory, sorted."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    foreign: tuple[str, ...]
    """XML files in the directory that are not ours: FreeSWITCH would read them too."""
    diff: str
    """What changed as a unified diff, passwords blanked."""

    def report(self) -> str:
        """One line for each file that is not as it was, sorted by path, then the diff."""
        words = [(path, "created") for path in self.created]
        words += [(path, "changed") for path in self.changed]
        words += [(path, "foreign") for path in self.foreign]
        lines = [f"{word} {path}" for path, word in sorted(words)]
        return "\n".join([*lines, self.diff] if self.diff else lines)


def render(settings: RenderSettings, template_dir: Path, out_dir: Path) -> RenderResult:
    """Fills `template_dir` for `settings` into `out_dir`, which is created where it is missing.

    Every file is replaced as a whole or not at all; files are readable by owner and group only, because they hold
    passwords. Files that are not ours are left and named in the result.

    Raises `SettingsError` or `XmlError` with all faults before anything is written, `OSError` when a file can't be.
    """
    files = rendered_files(settings, template_dir)
    out_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    created: list[str] = []
    changed: list[str] = []
    unchanged: list[str] = []
    diffs: list[str] = []
    for name, content in sorted(files.items()):
        target = out_dir / name
        before = target.read_bytes() if target.is_file() else None
        if before == content:
            unchanged.append(name)
            continue
        (created if before is None else changed).append(name)
        if before is not None:
            diffs.append(_diff(name, before, content))
        _write(target, content)
    present = {path.relative_to(out_dir).as_posix() for path in out_dir.rglob("*.xml")}
    foreign = sorted(present - files.keys())
    return RenderResult(tuple(created), tuple(changed), tuple(unchanged), tuple(foreign), "".join(diffs))


def rendered_files(settings: RenderSettings, template_dir: Path) -> dict[str, bytes]:
    """The content of every file by its path relative to the directory; nothing is written.

    Raises `SettingsError` or `XmlError` with all faults.
    """
    settings.check()
    values = template_values(settings)
    faults = Collector()
    files: dict[str, bytes] = {}
    for path in sorted(template_dir.rglob("*.xml")):
        name = path.relative_to(template_dir).as_posix()
        files[name] = _filled(path, name, values, faults)
    faults.raise_as(SettingsError)
    if not files:
        raise SettingsError([Fault("template_dir", f'"{template_dir}" holds no templates')])
    entry = contexts.Entry(
        engines=settings.engines,
        apology=settings.prompt_path(),
        rounds=settings.rounds,
        pauses_ms=settings.pauses_ms,
        trunks=tuple(trunk.name for trunk in settings.trunks),
        fallbacks=settings.fallbacks,
        emergency_caller_id=settings.emergency_caller_id,
    )
    lists = {TRUNKS_LIST: settings.trunk_networks(), CONTROL_LIST: settings.control_networks()}
    files["autoload_configs/acl.conf.xml"] = xml.to_bytes(xml.access_lists(lists))
    files[f"dialplan/{xml.TRUNK_CONTEXT}.xml"] = xml.to_bytes(contexts.trunk_context(entry))
    files[f"dialplan/{xml.AGENT_CONTEXT}.xml"] = xml.to_bytes(contexts.agent_context(entry))
    files["directory/agents.xml"] = xml.to_bytes(xml.directory(settings.domain, settings.agents))
    files["trunks/trunks.xml"] = xml.to_bytes(xml.gateways(settings.trunks))
    return files


def template_values(settings: RenderSettings) -> dict[str, str]:
    """What each `@{name}` of the templates stands for; empty drops the `<param>`."""
    severe = LOG_LEVELS[LOG_LEVELS.index(settings.log_level) :]
    values = {
        "event_socket.ip": settings.event_socket.ip,
        "event_socket.port": str(settings.event_socket.port),
        "event_socket.password": settings.event_socket.password,
        "rtp.ip": settings.rtp.ip,
        "rtp.public_ip": settings.rtp.public_ip,
        "rtp.first_port": str(settings.rtp.first_port),
        "rtp.last_port": str(settings.rtp.last_port),
        "domain": settings.domain,
        "max_sessions": str(settings.max_sessions),
        "sessions_per_second": str(settings.sessions_per_second),
        "codecs": ",".join(settings.codecs),
        "ping_phones": "true" if settings.ping_phones else "false",
        "switch_name": settings.switch_name,
        "log_dir": settings.log_dir,
        "log_level": settings.log_level,
        "log_levels": ",".join(severe),
    }
    return (
        values | _sip_values("sip_external", settings.sip_external) | _sip_values("sip_internal", settings.sip_internal)
    )


def switch_arguments(settings: RenderSettings, conf_dir: Path) -> list[str]:
    """The arguments that start FreeSWITCH in the foreground on the rendered directory, its state where settings say.

    FreeSWITCH takes its directories from the command line only.
    """
    return [
        "-nonat", "-nf", "-nc",
        "-conf", str(conf_dir),
        "-log", settings.log_dir,
        "-db", settings.db_dir,
        "-run", settings.run_dir,
        "-recordings", settings.recordings_dir,
        "-sounds", settings.prompts_dir,
    ]  # fmt: skip


def _sip_values(name: str, sip: SipListen) -> dict[str, str]:
    tls = sip.tls_port is not None
    return {
        f"{name}.ip": sip.ip,
        f"{name}.port": str(sip.port),
        f"{name}.public_ip": sip.public_ip,
        f"{name}.tls": "true" if tls else "false",
        f"{name}.tls_port": str(sip.tls_port) if tls else "",
        f"{name}.tls_dir": sip.tls_dir if tls else "",
        f"{name}.tls_version": "tlsv1.2" if tls else "",
    }


def _filled(path: Path, name: str, values: Mapping[str, str], faults: Collector) -> bytes:
    """The template with its values; the file's own layout and comments stay."""
    root = etree.parse(str(path), etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    for node in list(root.iter("*")):
        for attribute, text in list(node.attrib.items()):
            wanted = _PLACEHOLDER.findall(str(text))
            unknown = [key for key in wanted if key not in values]
            faults.faults += [
                Fault(f"{name}: {node.tag}.{attribute}", f"@{{{key}}} is not a setting") for key in unknown
            ]
            if not wanted or unknown:
                continue
            value = _PLACEHOLDER.sub(lambda match: values[match[1]], str(text))
            if refusal := xml.refusal(value):
                raise XmlError([Fault(f"{name}: {node.tag}.{attribute}", refusal)])
            node.set(attribute, value)
            if not value:
                _drop(node)
    return etree.tostring(root, encoding="utf-8", xml_declaration=False) + b"\n"


def _drop(node: etree._Element) -> None:
    """Takes the element and the line that it stood on out of the tree."""
    parent = node.getparent()
    if parent is None:
        return
    before = node.getprevious()
    if before is not None and node.tail is not None:
        before.tail = node.tail
    parent.remove(node)


def _diff(name: str, before: bytes, after: bytes) -> str:
    old, new = (
        _SECRET.sub(r'\1…"', content.decode("utf-8", "replace")).splitlines(keepends=True)
        for content in (before, after)
    )
    return "".join(unified_diff(old, new, f"a/{name}", f"b/{name}"))


def _write(target: Path, content: bytes) -> None:
    """Replaces the file in one step. The temporary name does not end in .xml, so that FreeSWITCH never reads it."""
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o640)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
