"""Notices on general problems over HTTP (R24)."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.notices.schema import NoticeHistorySchema, NoticeOnSchema, NoticeSchema, NoticesSchema
from admin_api.smorest import Blueprint, Refusal
from engine.domain.routing import NoticeEntry
from engine.services.notices import Switching

blueprint = Blueprint("notices", __name__, url_prefix="/notices", description="Notices on general problems")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, NoticesSchema)
    def get(self) -> dict[str, Any]:
        """All notices."""
        return {"notices": services().notices.list()}


@blueprint.route("/<string:notice>")
class Member(MethodView):
    @blueprint.response(200, NoticeSchema)
    def get(self, notice: str) -> NoticeEntry:
        """One notice, and whether it is on."""
        return services().notices.get(notice)

    @blueprint.arguments(NoticeSchema)
    @blueprint.response(200, NoticeSchema)
    @blueprint.alt_response(201, schema=NoticeSchema, success=True)
    def put(self, body: dict[str, Any], notice: str) -> tuple[NoticeEntry, int]:
        """Make or change a notice. Without `active` it stays as it was, a new one off."""
        check_same(body, "id", notice)
        until_ms = body.get("until_ms")
        if "active" not in body and until_ms is not None:
            raise Refusal(422, "json", "until", "Say with it whether the notice is `active`.")
        switching = Switching(body["active"], until_ms) if "active" in body else None
        entry, created = services().notices.put(notice, body["name"], body["sounds"], switching, actor())
        return entry, 201 if created else 200

    @blueprint.response(204)
    def delete(self, notice: str) -> None:
        """Remove a notice that no active flow names."""
        services().notices.delete(notice, actor())


@blueprint.route("/<string:notice>/on")
class On(MethodView):
    @blueprint.arguments(NoticeOnSchema, required=False)
    @blueprint.response(200, NoticeSchema)
    def post(self, body: dict[str, Any], notice: str) -> NoticeEntry:
        """Switch a notice on: calls that come to it from now on hear it."""
        return services().notices.switch(notice, Switching(True, body["until_ms"]), actor())


@blueprint.route("/<string:notice>/off")
class Off(MethodView):
    @blueprint.response(200, NoticeSchema)
    def post(self, notice: str) -> NoticeEntry:
        """Switch a notice off."""
        return services().notices.switch(notice, Switching(False), actor())


@blueprint.route("/<string:notice>/history")
class History(MethodView):
    @blueprint.response(200, NoticeHistorySchema)
    def get(self, notice: str) -> dict[str, Any]:
        """Who changed or switched it, and when."""
        return {"history": services().notices.history(notice)}
