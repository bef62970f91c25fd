"""The switch's directory from the configuration and what the database says of agents and trunks."""

from __future__ import annotations

from pathlib import Path

import freeswitch_conf
from callwright.local.plan import render_settings
from dialplan.render import render
from dialplan.settings import Agent, NumberFallback, Trunk
from engine.config import Config
from engine.domain.routing import TrunkEntry
from engine.store.database import Database
from engine.store.routing import RoutingStore


def render_from_database(config: Config, out: Path, switch_dir: Path) -> str:
    """Render into `out`; what changed, in words. Raises StoreUnavailable, SettingsError, OSError."""
    database = Database(config.database.dsn, name="callwright render")
    try:
        store = RoutingStore(database)
        snapshot, secrets = store.snapshot(), store.credentials()
    finally:
        database.close()
    settings = render_settings(
        config,
        agents=tuple(Agent(each.id, secrets.agents.get(each.id, ""), each.name) for each in snapshot.agents),
        trunks=tuple(_trunk(each, secrets.trunks.get(each.id, "")) for each in snapshot.trunks),
        fallbacks=tuple(NumberFallback(each.pattern, each.fallback) for each in snapshot.numbers if each.fallback),
        directory=switch_dir.absolute(),
    )
    return render(settings, freeswitch_conf.template_dir(), out).report()


def _trunk(entry: TrunkEntry, password: str) -> Trunk:
    return Trunk(
        name=entry.id,
        proxy=entry.proxy,
        username=entry.username,
        password=password,
        register=entry.register,
        prefix=entry.prefix,
        networks=entry.networks,
        ping_s=entry.ping_s,
    )
