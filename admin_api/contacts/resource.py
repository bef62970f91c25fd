"""Contacts over HTTP: what the customer's system tells us of its customers (R110)."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.contacts.batch import Rows, made
from admin_api.contacts.schema import BATCH_BODY, BatchSchema, ContactSchema, ContactsSchema, NumberQuerySchema
from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.smorest import Blueprint
from engine.domain.contact import Contact

blueprint = Blueprint("contacts", __name__, url_prefix="/contacts", description="Contacts that flows look up")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.query(NumberQuerySchema)
    @blueprint.response(200, ContactsSchema)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """All who have a number."""
        return {"contacts": services().contacts.of_number(query["number"])}


@blueprint.route("/batch")
class Batch(MethodView):
    @blueprint.doc(**BATCH_BODY)
    @blueprint.response(200, BatchSchema)
    def post(self) -> dict[str, Any]:
        """Make or change many contacts. Rows that can't be used are told; all others are kept, together."""
        rows = Rows()
        outcome = services().contacts.put_batch(rows.contacts, actor())
        refused = [{**rows.called(each.row), "key": each.key, "errors": each.faults} for each in outcome.refused]
        return {"created": outcome.created, "changed": outcome.changed, "refused": refused}


@blueprint.route("/<path:key>")
class Member(MethodView):
    @blueprint.response(200, ContactSchema)
    def get(self, key: str) -> Contact:
        """One contact."""
        return services().contacts.get(key)

    @blueprint.arguments(ContactSchema)
    @blueprint.response(200, ContactSchema)
    @blueprint.alt_response(201, schema=ContactSchema, success=True)
    def put(self, body: dict[str, Any], key: str) -> tuple[Contact, int]:
        """Make or change a contact."""
        check_same(body, "key", key)
        contact, created = services().contacts.put(made({"key": key, **body}), actor())
        return contact, 201 if created else 200

    @blueprint.response(204)
    def delete(self, key: str) -> None:
        """Remove a contact."""
        services().contacts.delete(key, actor())
