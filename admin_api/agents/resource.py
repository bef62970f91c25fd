"""Agents over HTTP."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api.agents.schema import AgentSchema, AgentsSchema
from admin_api.context import actor, services
from admin_api.fields import check_same
from admin_api.smorest import Blueprint
from engine.domain.routing import AgentEntry

blueprint = Blueprint("agents", __name__, url_prefix="/agents", description="Who takes calls")


@blueprint.route("")
class Collection(MethodView):
    @blueprint.response(200, AgentsSchema)
    def get(self) -> dict[str, Any]:
        """All agents."""
        return {"agents": services().agents.list()}


@blueprint.route("/<string:agent>")
class Member(MethodView):
    @blueprint.response(200, AgentSchema)
    def get(self, agent: str) -> AgentEntry:
        """One agent."""
        return services().agents.get(agent)

    @blueprint.arguments(AgentSchema)
    @blueprint.response(200, AgentSchema)
    @blueprint.alt_response(201, schema=AgentSchema, success=True)
    def put(self, body: dict[str, Any], agent: str) -> tuple[AgentEntry, int]:
        """Make or change an agent."""
        check_same(body, "id", agent)
        password = body.pop("sip_password", None)
        entry = AgentEntry(id=agent, **body | {"mobile_in": tuple(body["mobile_in"])})
        created = services().agents.put(entry, actor(), password)
        return entry, 201 if created else 200

    @blueprint.response(204)
    def delete(self, agent: str) -> None:
        """Remove an agent that no queue and no active flow names."""
        services().agents.delete(agent, actor())
