"""Trunks over HTTP."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.smorest import Blueprint
from admin_api.trunks.schema import TrunkSchema, TrunksSchema
from engine.domain.routing import TrunkEntry

blueprint = Blueprint("trunks", __name__, url_prefix="/trunks", description="Lines to operators")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, TrunksSchema)
    def get(self) -> dict[str, Any]:
        """All trunks."""
        return {"trunks": services().trunks.list()}


@blueprint.route("/<string:trunk>")
class Member(MethodView):
    @blueprint.response(200, TrunkSchema)
    def get(self, trunk: str) -> TrunkEntry:
        """One trunk."""
        return services().trunks.get(trunk)

    @blueprint.arguments(TrunkSchema)
    @blueprint.response(200, TrunkSchema)
    @blueprint.alt_response(201, schema=TrunkSchema, success=True)
    def put(self, body: dict[str, Any], trunk: str) -> tuple[TrunkEntry, int]:
        """Make or change a trunk."""
        check_same(body, "id", trunk)
        password = body.pop("password", None)
        entry = TrunkEntry(id=trunk, **body | {"networks": tuple(body["networks"])})
        created = services().trunks.put(entry, actor(), password)
        return entry, 201 if created else 200

    @blueprint.response(204)
    def delete(self, trunk: str) -> None:
        """Remove a trunk that no number and no active flow names."""
        services().trunks.delete(trunk, actor())
