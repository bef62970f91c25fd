"""The reference call in the switch's own Lua, put into a running FreeSWITCH beside the engine's: the measure for what
our way over the event socket adds.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from callwright.load.own import MENU_MS, Own
from callwright.local.event_socket import Line
from dialplan.xml import TRUNK_CONTEXT

NUMBER = "+420221234501"
MODULE = "mod_lua"

SCRIPT = """\
-- The reference call of docs/load.md, step by step as the flow does it.
session:answer()
session:setVariable("first", "1")
session:setVariable("second", "2")
session:setVariable("third", "3")
session:streamFile("{prompt}")
session:playAndGetDigits(1, 1, 1, {menu_ms}, "", "{prompt}", "", "[0-9]")
session:hangup()
"""


class LuaMissing(Exception):
    """The switch can't run Lua; `str` has its words."""


def install(system: Own, prompt: Path) -> None:
    """Make NUMBER lead to the script, in the rendered configuration of our own switch. Raises LuaMissing, OSError."""
    settings, conf_dir = system.stack.plan.settings, system.stack.plan.conf_dir
    script = conf_dir / "scripts" / "reference_call.lua"
    script.parent.mkdir(exist_ok=True)
    script.write_text(SCRIPT.format(prompt=prompt, menu_ms=MENU_MS), encoding="utf-8")
    _add_extension(conf_dir / "dialplan" / f"{TRUNK_CONTEXT}.xml", script)
    socket = settings.event_socket
    with Line(socket.ip, socket.port, socket.password) as line:
        for command in ("reloadxml", f"load {MODULE}"):
            said = line.ask(command)
            if not said.startswith("+OK"):
                raise LuaMissing(f"{command}: {' '.join(said.split()) or 'no answer'}")


def _add_extension(file: Path, script: Path) -> None:
    """The first of the context, so that it is met before the engine's entry."""
    root = etree.parse(str(file)).getroot()
    extension = etree.Element("extension", name="load_lua")
    condition = etree.SubElement(
        extension, "condition", field="destination_number", expression=f"^{NUMBER.replace('+', '[+]')}$"
    )
    etree.SubElement(condition, "action", application="lua", data=str(script))
    root.insert(0, extension)
    file.write_bytes(etree.tostring(root, encoding="utf-8"))
