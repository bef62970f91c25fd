"""Queues over HTTP."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.queues.schema import QueueSchema, QueuesSchema
from admin_api.smorest import Blueprint
from engine.domain.routing import OverflowReason, QueueEntry

blueprint = Blueprint("queues", __name__, url_prefix="/queues", description="Where callers wait for agents")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, QueuesSchema)
    def get(self) -> dict[str, Any]:
        """All queues."""
        return {"queues": services().queues.list()}


@blueprint.route("/<string:queue>")
class Member(MethodView):
    @blueprint.response(200, QueueSchema)
    def get(self, queue: str) -> QueueEntry:
        """One queue."""
        return services().queues.get(queue)

    @blueprint.arguments(QueueSchema)
    @blueprint.response(200, QueueSchema)
    @blueprint.alt_response(201, schema=QueueSchema, success=True)
    def put(self, body: dict[str, Any], queue: str) -> tuple[QueueEntry, int]:
        """Make or change a queue."""
        check_same(body, "id", queue)
        overflow = {OverflowReason(why): target for why, target in body.pop("overflow").items()}
        entry = QueueEntry(id=queue, overflow=overflow, **body)
        created = services().queues.put(entry, actor())
        return entry, 201 if created else 200

    @blueprint.response(204)
    def delete(self, queue: str) -> None:
        """Remove a queue that no agent, no other queue and no active flow names."""
        services().queues.delete(queue, actor())
