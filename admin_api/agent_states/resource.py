"""What agents do, over HTTP: their states, changes of them, their events (R50–R53)."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from admin_api import cursor
from admin_api.agent_states.schema import (
    AgentStateSchema,
    AgentStatesSchema,
    BreakSchema,
    EventQuerySchema,
    EventsSchema,
    NothingSchema,
    QueueChoiceSchema,
    WrapUpSchema,
)
from admin_api.context import services
from admin_api.smorest import Blueprint
from engine.acd.agent import Agent, Break, LogIn, LogOut, Ready, TakeBreak, WrapUpSet
from engine.store.agents import EventPosition

blueprint = Blueprint("agent_states", __name__, url_prefix="/agents", description="What agents do now, and did")


@blueprint.route("/states")
class Collection(MethodView):
    @blueprint.response(200, AgentStatesSchema)
    def get(self) -> dict[str, Any]:
        """What all agents do now."""
        return {"agents": services().agents_at_work.list()}


@blueprint.route("/<string:agent>/state")
class Member(MethodView):
    @blueprint.response(200, AgentStateSchema)
    def get(self, agent: str) -> Agent:
        """What one agent does now."""
        return services().agents_at_work.get(agent)


@blueprint.route("/<string:agent>/log-in")
class LoggingIn(MethodView):
    @blueprint.arguments(QueueChoiceSchema)
    @blueprint.response(200, AgentStateSchema)
    def post(self, body: dict[str, Any], agent: str) -> Agent:
        """Log in to one of his queues, or to all."""
        return services().agents_at_work.happen(agent, LogIn(body["queue"], body["forced"]))


@blueprint.route("/<string:agent>/log-out")
class LoggingOut(MethodView):
    @blueprint.arguments(QueueChoiceSchema)
    @blueprint.response(200, AgentStateSchema)
    def post(self, body: dict[str, Any], agent: str) -> Agent:
        """Log out of one queue, or of all; in a call it holds when the call is over."""
        return services().agents_at_work.happen(agent, LogOut(body["queue"], body["forced"]))


@blueprint.route("/<string:agent>/ready")
class Readiness(MethodView):
    @blueprint.arguments(NothingSchema)
    @blueprint.response(200, AgentStateSchema)
    def post(self, _body: dict[str, Any], agent: str) -> Agent:
        """End a break or wrap-up; in a call, take back the break that was asked for."""
        return services().agents_at_work.happen(agent, Ready())


@blueprint.route("/<string:agent>/break")
class Pause(MethodView):
    @blueprint.arguments(BreakSchema)
    @blueprint.response(200, AgentStateSchema)
    def post(self, body: dict[str, Any], agent: str) -> Agent:
        """Take a break, at once or after the call."""
        return services().agents_at_work.happen(agent, TakeBreak(Break(body["reason"], body["kind"])))


@blueprint.route("/<string:agent>/wrap-up")
class WrapUp(MethodView):
    @blueprint.arguments(WrapUpSchema)
    @blueprint.response(200, AgentStateSchema)
    def post(self, body: dict[str, Any], agent: str) -> Agent:
        """Shorten or extend his wrap-up."""
        return services().agents_at_work.happen(agent, WrapUpSet(body["left_s"] * 1000))


@blueprint.route("/<string:agent>/events")
class Events(MethodView):
    @blueprint.query(EventQuerySchema)
    @blueprint.response(200, EventsSchema)
    def get(self, query: dict[str, Any], agent: str) -> dict[str, Any]:
        """What happened to an agent, newest first."""
        after = _position(query["cursor"]) if "cursor" in query else None
        if after is None and "to_ms" in query:
            after = EventPosition(query["to_ms"], 0)
        page = services().agents_at_work.events(agent, query["limit"], after)
        following = cursor.encode(page.next.at_ms, str(page.next.version)) if page.next else None
        return {"events": page.events, "next": following}


def _position(given: str) -> EventPosition:
    at_ms, version = cursor.decode(given)
    if not version.isdecimal():
        raise cursor.refusal()
    return EventPosition(at_ms, int(version))
