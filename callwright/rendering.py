"""The switch's directory from the configuration and what the database says of agents and trunks."""

from __future__ import annotations

from pathlib import Path

import freeswitch_conf
from callwright.local.plan import render_settings
from dialplan.render import render
from dialplan.settings import Agent, Trunk
from engine.config import Config
from engine.store.database import Database
from engine.store.routing import RoutingStore


def render_from_database(config: Config, out: Path, switch_dir: Path) -> str:
    """Render into `out`; what changed, in words. Raises StoreUnavailable, SettingsError, OSError."""
    store = RoutingStore(Database(config.database.dsn, name="callwright-render"))
    snapshot, credentials = store.snapshot(), store.credentials()
    agents = tuple(Agent(each.id, credentials.agents.get(each.id, ""), each.name) for each in snapshot.agents)
    trunks = tuple(
        Trunk(
            name=each.id,
            proxy=each.proxy,
            username=each.username,
            password=credentials.trunks.get(each.id, ""),
            register=each.register,
        )
        for each in snapshot.trunks
    )
    settings = render_settings(config, agents=agents, trunks=trunks, directory=switch_dir.absolute())
    return render(settings, freeswitch_conf.template_dir(), out).report()
