"""Queues over HTTP."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.queues.schema import AllFiguresSchema, FiguresSchema, LineSchema, QueueSchema, QueuesSchema
from admin_api.smorest import Blueprint
from engine.acd.live import LiveFigures
from engine.domain.routing import OverflowReason, QueueEntry
from engine.services.live_queues import Line

blueprint = Blueprint("queues", __name__, url_prefix="/queues", description="Where callers wait for agents")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, QueuesSchema)
    def get(self) -> dict[str, Any]:
        """All queues."""
        return {"queues": services().queues.list()}


@blueprint.route("/figures")
class AllFigures(MethodView):
    @blueprint.response(200, AllFiguresSchema)
    def get(self) -> dict[str, Any]:
        """How all queues stand at this moment."""
        return {"queues": [_shown(each) for each in services().live_queues.figures()]}


@blueprint.route("/<string:queue>/figures")
class Figures(MethodView):
    @blueprint.response(200, FiguresSchema)
    def get(self, queue: str) -> dict[str, Any]:
        """How a queue stands at this moment."""
        return _shown(services().live_queues.figures_of(queue))


@blueprint.route("/<string:queue>/members")
class Members(MethodView):
    @blueprint.response(200, LineSchema)
    def get(self, queue: str) -> Line:
        """The calls that wait in a queue at this moment, in order."""
        return services().live_queues.members_of(queue)


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


def _shown(found: LiveFigures) -> dict[str, Any]:
    figures = {name: getattr(found.figures, name) for name in found.figures.__slots__}
    if not found.is_led:
        figures["longest_wait_ms"] = None
    return figures | {"is_led": found.is_led}
