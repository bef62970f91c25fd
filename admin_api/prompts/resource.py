"""Prompts over HTTP (R23)."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.views import MethodView

from admin_api.context import actor, services
from admin_api.problems import CONTENT_TYPE, ProblemSchema
from admin_api.prompts.schema import PromptActiveSchema, PromptSchema, PromptsSchema, UploadQuerySchema
from admin_api.smorest import Blueprint
from engine.services.prompts import PromptDetail

blueprint = Blueprint("prompts", __name__, url_prefix="/prompts", description="Prompts and their versions")

_SOUND = {"type": "string", "format": "binary"}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "WAV, FLAC, Ogg, MP3, AIFF, AU or CAF; M4A, AAC, WebM, WMA and AMR where ffmpeg is installed",
        "content": {"application/octet-stream": {"schema": _SOUND}, "audio/*": {"schema": _SOUND}},
    }
}


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, PromptsSchema)
    def get(self) -> dict[str, Any]:
        """All prompts, each in each language."""
        return {"prompts": services().prompts.list()}


@blueprint.route("/<string:name>/<string:language>")
class Member(MethodView):
    @blueprint.response(200, PromptSchema)
    def get(self, name: str, language: str) -> PromptDetail:
        """One prompt in one language, with its versions and the flows that play it."""
        return services().prompts.get(name, language)

    @blueprint.query(UploadQuerySchema)
    @blueprint.doc(**_BODY)
    @blueprint.response(201, PromptSchema)
    @blueprint.alt_response(200, schema=PromptSchema, success=True, description="There was a recording already")
    @blueprint.alt_response(422, schema=ProblemSchema, content_type=CONTENT_TYPE, description="It is no usable sound")
    def put(self, query: dict[str, Any], name: str, language: str) -> tuple[PromptDetail, int]:
        """Upload a recording. It is converted, trimmed and levelled, and calls hear it from now on.

        The warnings of the newest version say what a person should look into.
        """
        found, new = services().prompts.upload(name, language, request.get_data(), query["file_name"], actor())
        return found, 201 if new else 200


@blueprint.route("/<string:name>/<string:language>/active")
class Active(MethodView):
    @blueprint.arguments(PromptActiveSchema)
    @blueprint.response(200, PromptSchema)
    def put(self, body: dict[str, Any], name: str, language: str) -> PromptDetail:
        """Play another version from now on; an older one again is a roll-back."""
        return services().prompts.activate(name, language, body["version"], actor())


@blueprint.route("/<string:name>/<string:language>/versions/<string:version>")
class Version(MethodView):
    @blueprint.response(200, _SOUND, content_type="audio/wav")
    def get(self, name: str, language: str, version: str) -> Response:
        """The sound of a version, as calls hear it."""
        return Response(services().prompts.sound(name, language, version), content_type="audio/wav")
