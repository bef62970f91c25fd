"""Liveness and readiness over HTTP. Neither needs a key, neither says more than what is needed.

`GET /openapi.json`, which does, is served by flask-smorest.
"""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.context import services
from admin_api.smorest import Blueprint
from admin_api.system.schema import LivenessSchema, ReadinessSchema

blueprint = Blueprint("system", __name__, description="The process itself")


@blueprint.route("/healthz")
class Liveness(MethodView):
    @blueprint.doc(security=[])
    @blueprint.response(200, LivenessSchema)
    def get(self) -> dict[str, str]:
        """Whether the process answers at all. Asks nobody else."""
        return {"status": "ok"}


@blueprint.route("/readyz")
class Readiness(MethodView):
    @blueprint.doc(security=[])
    @blueprint.response(200, ReadinessSchema)
    @blueprint.alt_response(503, schema=ReadinessSchema)
    def get(self) -> tuple[dict[str, Any], int]:
        """Whether all that the process depends on answers."""
        dependencies = services().health.check()
        ready = all(each.ok for each in dependencies)
        return {"ready": ready, "dependencies": dependencies}, 200 if ready else 503
