"""Numbers over HTTP."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.numbers.schema import NumberSchema, NumbersSchema
from admin_api.smorest import Blueprint
from engine.domain.routing import NumberRoute

blueprint = Blueprint("numbers", __name__, url_prefix="/numbers", description="Which flow answers which number")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, NumbersSchema)
    def get(self) -> dict[str, Any]:
        """All numbers."""
        return {"numbers": services().numbers.list()}


@blueprint.route("/<string:pattern>")
class Member(MethodView):
    @blueprint.response(200, NumberSchema)
    def get(self, pattern: str) -> NumberRoute:
        """One number, in any form that means it."""
        return services().numbers.get(pattern)

    @blueprint.arguments(NumberSchema)
    @blueprint.response(200, NumberSchema)
    @blueprint.alt_response(201, schema=NumberSchema, success=True)
    def put(self, body: dict[str, Any], pattern: str) -> tuple[NumberRoute, int]:
        """Let a flow answer this number."""
        check_same(body, "pattern", pattern)
        settings = services().settings
        values = {"language": settings.language, "country": settings.country} | body
        route, created = services().numbers.put(NumberRoute(pattern=pattern, **values), actor())
        return route, 201 if created else 200

    @blueprint.response(204)
    def delete(self, pattern: str) -> None:
        """No flow answers this number any more."""
        services().numbers.delete(pattern, actor())
