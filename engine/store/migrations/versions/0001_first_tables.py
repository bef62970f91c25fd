"""First tables: flows, routing data, calls, recordings, keys, audit."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "audit", "api_keys", "recordings", "call_journals", "call_legs", "call_visits", "call_records",
    "routing_version", "calendars", "agents", "numbers", "trunks", "flow_activations", "flow_versions", "flows",
)  # fmt: skip


def upgrade() -> None:
    _flows()
    _routing()
    _calls()
    _recordings()
    _keys_and_audit()


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _bool(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.JSONB(), nullable=False)


def _time(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[Any]:
    server_default = sa.text(default) if default else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null, server_default=server_default)


def _serial(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _refers(table: str, column: str, target: str, **options: Any) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", **options)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _flows() -> None:
    op.create_table("flows", _text("id"), _text("name"), _text("kind"), _time("created_at"), _key("flows", "id"))
    op.create_table(
        "flow_versions",
        *(_text(name) for name in ("flow_id", "version", "name", "kind")),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("definition", "layout")),
        _json("findings"),
        _time("uploaded_at"),
        _text("uploaded_by"),
        _refers("flow_versions", "flow_id", "flows.id"),
        _key("flow_versions", "flow_id", "version"),
    )
    op.create_table(
        "flow_activations",
        _serial("id"),
        _text("flow_id"),
        _text("version"),
        _time("activated_at"),
        _text("activated_by"),
        sa.ForeignKeyConstraint(
            ["flow_id", "version"],
            ["flow_versions.flow_id", "flow_versions.version"],
            name="fk_flow_activations_flow_id_version",
        ),
        _key("flow_activations", "id"),
    )
    _index("flow_activations", "flow_id", "id")
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'rows of % do not change', TG_TABLE_NAME USING ERRCODE = '23000'; END $$"
    )
    op.execute(
        "CREATE TRIGGER immutable BEFORE UPDATE OF flow_id, version, definition ON flow_versions "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _routing() -> None:
    op.create_table(
        "trunks",
        *(_text(name) for name in ("id", "name", "proxy", "username", "password", "prefix", "caller_id")),
        _bool("register"),
        _json("networks"),
        *(_int(name, null=True) for name in ("ping_s", "max_channels")),
        _key("trunks", "id"),
    )
    op.create_table(
        "numbers",
        *(_text(name) for name in ("pattern", "flow_id", "language", "country", "fallback")),
        _bool("record"),
        _text("trunk_id", null=True),
        _int("max_channels", null=True),
        _refers("numbers", "flow_id", "flows.id"),
        _refers("numbers", "trunk_id", "trunks.id"),
        _key("numbers", "pattern"),
    )
    op.create_table("agents", *(_text(name) for name in ("id", "name", "number", "sip_password")), _key("agents", "id"))
    op.create_table("calendars", _text("id"), _json("definition"), _key("calendars", "id"))
    op.create_table(
        "routing_version",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        _int("version"),
        _time("changed_at"),
        _key("routing_version", "id"),
    )
    op.execute("INSERT INTO routing_version (id, version, changed_at) VALUES (1, 1, now())")


def _calls() -> None:
    texts = (
        "call_id", "direction", "did", "caller", "caller_name", "route", "flow", "flow_version", "switch",
        "sip_call_id", "result", "hung_up_by", "hangup_cause", "reason", "digest",
    )  # fmt: skip
    op.create_table(
        "call_records",
        *(_text(name) for name in texts),
        _bool("anonymous"),
        _time("started_at"),
        _time("answered_at", null=True),
        _time("ended_at"),
        *(_int(name) for name in ("wait_ms", "talk_ms", "resumed")),
        *(_json(name) for name in ("recordings", "attributes")),
        _time("written_at", default="now()"),
        _key("call_records", "call_id"),
    )
    _index("call_records", "started_at", "call_id")
    for column in ("did", "caller", "flow", "result"):
        _index("call_records", column, "started_at")
    op.create_index("ix_call_records_recordings", "call_records", ["recordings"], postgresql_using="gin")
    _call_details()


def _call_details() -> None:
    def of_call(table: str, *key: str) -> tuple[Any, ...]:
        return _refers(table, "call_id", "call_records.call_id", ondelete="CASCADE"), _key(table, "call_id", *key)

    op.create_table(
        "call_visits",
        _text("call_id"),
        _int("position"),
        *(_text(name) for name in ("flow", "version", "node")),
        _time("entered_at"),
        _time("left_at"),
        _text("exit", null=True),
        *of_call("call_visits", "position"),
    )
    _index("call_visits", "flow", "node", "entered_at")
    op.create_table(
        "call_legs",
        _text("call_id"),
        _int("position"),
        *(_text(name) for name in ("leg_id", "kind", "party", "hangup_cause", "result")),
        _time("started_at"),
        _time("answered_at", null=True),
        _time("ended_at"),
        _int("talk_ms"),
        *of_call("call_legs", "position"),
    )
    _index("call_legs", "party", "started_at")
    op.create_table("call_journals", _text("call_id"), _json("entries"), *of_call("call_journals"))


def _recordings() -> None:
    texts = (
        "id", "call_id", "path", "state", "switch", "kind", "sha256", "bucket", "key", "reason", "agent",
        "agent_name", "agent_number", "caller", "did", "queue", "queue_name", "category",
    )  # fmt: skip
    numbers = ("expected_ms", "channels", "sample_rate", "duration_ms", "bytes", "queue_ms")
    op.create_table(
        "recordings",
        *(_text(name) for name in texts),
        *(_int(name, null=True) for name in numbers),
        _time("started_at", null=True),
        _time("ended_at", null=True),
        _json("details"),
        _time("changed_at", default="now()"),
        _key("recordings", "id"),
    )
    _index("recordings", "call_id")
    _index("recordings", "started_at")
    unfinished = sa.text("state IN ('expected', 'recording', 'ended')")
    op.create_index("ix_recordings_due", "recordings", ["changed_at"], postgresql_where=unfinished)


def _keys_and_audit() -> None:
    op.create_table(
        "api_keys",
        *(_text(name) for name in ("id", "name", "hash", "created_by")),
        _time("created_at"),
        _time("revoked_at", null=True),
        _key("api_keys", "id"),
    )
    op.create_table(
        "audit",
        _serial("id"),
        _time("at"),
        *(_text(name) for name in ("actor", "source", "action", "subject", "outcome", "request_id")),
        _json("detail"),
        _key("audit", "id"),
    )
    _index("audit", "at")
    _index("audit", "subject", "at")
    op.execute("CREATE TRIGGER immutable BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change()")
