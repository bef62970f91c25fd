"""Keys of the API over HTTP (R121)."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.keys.schema import KeysSchema, NewKeySchema
from admin_api.smorest import Blueprint
from engine.services.keys import NewKey

blueprint = Blueprint("keys", __name__, url_prefix="/keys", description="Who may use this API")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, KeysSchema)
    def get(self) -> dict[str, Any]:
        """All keys, revoked ones too. The keys of the configuration are not among them."""
        return {"keys": services().keys.list()}

    @blueprint.arguments(NewKeySchema)
    @blueprint.response(201, NewKeySchema)
    def post(self, body: dict[str, Any]) -> NewKey:
        """Make a key. It is in force at once."""
        return services().keys.create(body["name"], actor())


@blueprint.route("/<string:key>")
class Member(MethodView):
    @blueprint.response(204)
    def delete(self, key: str) -> None:
        """Revoke a key. It stays in the list."""
        services().keys.revoke(key, actor())
