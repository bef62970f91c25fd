"""Calls and access to their recordings over HTTP (R82, R90)."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api import cursor
from admin_api.calls.schema import (
    CallDetailSchema,
    CallQuerySchema,
    CallsSchema,
    JournalSchema,
    LinkSchema,
    RecordingQuerySchema,
)
from admin_api.calls.why_schema import CallWhySchema
from admin_api.context import actor, services
from admin_api.smorest import Blueprint
from engine.services.live_queues import CallWhy
from engine.store.calls import CallFilter, CallPosition

blueprint = Blueprint(
    "calls", __name__, url_prefix="/calls", description="Calls that are over; `why` of those that wait, too"
)


@blueprint.route("")
class Collection(MethodView):
    @blueprint.query(CallQuerySchema)
    @blueprint.response(200, CallsSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Calls, newest first."""
        limit, position = query.pop("limit"), query.pop("cursor", None)
        for name in ("did", "caller"):
            if name in query:
                query[name] = services().numbers.number(query[name])
        after = CallPosition(*cursor.decode(position)) if position is not None else None
        page = services().calls.list(CallFilter(**query), limit, after)
        return {
            "calls": page.calls,
            "next": cursor.encode(page.next.started_ms, page.next.call_id) if page.next else None,
        }


@blueprint.route("/<string:call_id>")
class Member(MethodView):
    @blueprint.response(200, CallDetailSchema)
    def get(self, call_id: str) -> dict[str, Any]:
        """One call with its path, visits of queues, legs, recordings and attributes."""
        found = services().calls.get(call_id)
        fields = {name: getattr(found.record, name) for name in found.record.__slots__}
        return fields | {"recordings": found.recordings}


@blueprint.route("/<string:call_id>/journal")
class Journal(MethodView):
    @blueprint.response(200, JournalSchema)
    def get(self, call_id: str) -> dict[str, Any]:
        """The journal of a call: everything that happened, in order."""
        return {"call_id": call_id, "entries": services().calls.journal(call_id)}


@blueprint.route("/<string:call_id>/why")
class Why(MethodView):
    @blueprint.response(200, CallWhySchema)
    def get(self, call_id: str) -> CallWhy:
        """Why a call was offered to whom or told to leave, and who is passed over while it still waits."""
        return services().live_queues.why(call_id)


@blueprint.route("/<string:call_id>/recording")
class Recording(MethodView):
    @blueprint.query(RecordingQuerySchema)
    @blueprint.response(200, LinkSchema)
    def get(self, query: dict[str, Any], call_id: str) -> dict[str, Any]:
        """A link to a recording of the call, which expires. Each one is in the audit trail."""
        link = services().recordings.link(call_id, actor(), query.get("recording"))
        return {
            "recording": link.row.id,
            "url": link.url,
            "expires_at": link.expires_ms,
            "duration_ms": link.row.duration_ms,
            "bytes": link.row.bytes,
            "sha256": link.row.sha256,
        }
