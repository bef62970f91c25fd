"""Flows over HTTP (R21)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from flask import Response, jsonify, request, url_for
from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.flows.schema import (
    ActivatedSchema,
    ActiveSchema,
    CheckedSchema,
    DifferenceQuerySchema,
    DifferenceSchema,
    FlowDetailSchema,
    FlowsSchema,
    RollbackSchema,
    UploadedSchema,
    UploadQuerySchema,
)
from admin_api.problems import CONTENT_TYPE, ProblemSchema
from admin_api.smorest import Blueprint, Refusal
from engine.services.flows import ActivateOutcome, CheckOutcome, FlowDetail, FlowDifference, UploadOutcome

blueprint = Blueprint("flows", __name__, url_prefix="/flows", description="Flows and their versions")

_DOCUMENT = {"type": "object", "description": "a flow, `callwright/flow/1`"}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _DOCUMENT}}}}


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, FlowsSchema)
    def get(self) -> dict[str, Any]:
        """All flows."""
        return {"flows": services().flows.list()}

    @blueprint.doc(**_BODY)
    @blueprint.query(UploadQuerySchema)
    @blueprint.response(201, UploadedSchema)
    @blueprint.alt_response(200, schema=UploadedSchema, success=True, description="This version was there already")
    @blueprint.alt_response(422, schema=ProblemSchema, content_type=CONTENT_TYPE, description="With all findings")
    def post(self, query: dict[str, Any]) -> tuple[UploadOutcome, int, dict[str, str]]:
        """Upload a version of a flow.

        The flow is checked as a whole and every finding reported at once. The version is kept for good and becomes
        active by `PUT /flows/{flow}/active` only. With `draft` it is kept even with errors, to be gone on with later.
        """
        outcome = services().flows.upload(_text(), actor(), draft=query["draft"])
        where = url_for("flows.Version", flow=outcome.flow, version=outcome.version)
        return outcome, 201 if outcome.created else 200, {"Location": where}


@blueprint.route("/<string:flow>")
class Member(MethodView):
    @blueprint.response(200, FlowDetailSchema)
    def get(self, flow: str) -> dict[str, Any]:
        """One flow with its versions and the history of activations."""
        return _detail(services().flows.get(flow))


@blueprint.route("/<string:flow>/versions/<string:version>")
class Version(MethodView):
    @blueprint.response(200, _DOCUMENT)
    def get(self, flow: str, version: str) -> Response:
        """The document of a version, as it was uploaded."""
        return jsonify(services().flows.definition(flow, version))


@blueprint.route("/<string:flow>/versions/<string:version>/check")
class Check(MethodView):
    @blueprint.response(200, CheckedSchema)
    def post(self, flow: str, version: str) -> CheckOutcome:
        """Check a version against all that exists now. A draft that passes is one no longer."""
        return services().flows.check(flow, version, actor())


@blueprint.route("/<string:flow>/difference")
class Difference(MethodView):
    @blueprint.query(DifferenceQuerySchema)
    @blueprint.response(200, DifferenceSchema)
    def get(self, query: dict[str, Any], flow: str) -> FlowDifference:
        """What is different between two versions of a flow, node by node. Where nodes are drawn doesn't count."""
        return services().flows.difference(flow, query["before"], query["after"])


@blueprint.route("/<string:flow>/active")
class Active(MethodView):
    @blueprint.arguments(ActiveSchema)
    @blueprint.response(200, ActivatedSchema)
    @blueprint.alt_response(422, schema=ProblemSchema, content_type=CONTENT_TYPE, description="With all findings")
    def put(self, body: dict[str, Any], flow: str) -> dict[str, Any]:
        """Make a version the active one; an older one again is a roll-back.

        New calls get it; calls that run keep the version that they began with. A version that was active before is
        refused only when it can't run, or when something that it refers to is gone.
        """
        return _activated(services().flows.activate(flow, body["version"], actor()))


@blueprint.route("/<string:flow>/rollback")
class Rollback(MethodView):
    @blueprint.arguments(RollbackSchema)
    @blueprint.response(200, ActivatedSchema)
    @blueprint.alt_response(409, schema=ProblemSchema, content_type=CONTENT_TYPE, description="Nothing to go back to")
    @blueprint.alt_response(422, schema=ProblemSchema, content_type=CONTENT_TYPE, description="With all findings")
    def post(self, body: dict[str, Any], flow: str) -> dict[str, Any]:
        """Make the version active again that was active before this one.

        Done again, it goes one version further back: never to one that was left by going back.
        """
        return _activated(services().flows.roll_back(flow, body["left"], actor()))


def _detail(found: FlowDetail) -> dict[str, Any]:
    versions = [{**asdict(each), "state": found.state(each)} for each in found.versions]
    return {"summary": found.summary, "versions": versions, "activations": found.activations}


def _activated(outcome: ActivateOutcome) -> dict[str, Any]:
    return _detail(outcome) | {"findings": outcome.findings}


def _text() -> str:
    """The body as it came: the flow language itself finds what JSON readers let pass, as a key that stands twice."""
    try:
        text = request.get_data().decode()
    except UnicodeDecodeError as error:
        raise Refusal(400, "json", "", "The body is not UTF-8.") from error
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise Refusal(400, "json", "", f"The body is no JSON: {error}.") from error
    except (RecursionError, ValueError):
        pass  # nested too deeply, a number too long: told as findings
    return text
