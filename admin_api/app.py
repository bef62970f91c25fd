"""Puts the API together."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from flask import Flask

from admin_api import access, problems
from admin_api.agent_states.resource import blueprint as agent_states
from admin_api.agents.resource import blueprint as agents
from admin_api.calendars.resource import blueprint as calendars
from admin_api.calls.resource import blueprint as calls
from admin_api.contacts.resource import blueprint as contacts
from admin_api.fields import Time
from admin_api.flows.resource import blueprint as flows
from admin_api.keys.resource import blueprint as keys
from admin_api.notices.resource import blueprint as notices
from admin_api.numbers.resource import blueprint as numbers
from admin_api.prompts.resource import blueprint as prompts
from admin_api.queues.resource import blueprint as queues
from admin_api.smorest import Api
from admin_api.system.resource import blueprint as system
from admin_api.trunks.resource import blueprint as trunks
from engine.services.bundle import Services

MAX_BODY_BYTES = 2_000_000
"""Largest body of a request. The largest thing that is sent is a flow, which may have 1 MB."""

_SPEC: dict[str, Any] = {
    "info": {
        "description": "Flows, numbers, agents, queues, trunks, calendars, notices, contacts; "
        "calls and their recordings.",
        "x-program-version": metadata.version("callwright"),
    },
    "security": [{"key": []}],
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
}


class CallwrightApi(Api):
    """flask-smorest's Api with problem documents (RFC 9457) in place of its own error format."""

    ERROR_SCHEMA = problems.ProblemSchema

    def handle_http_exception(self, error: Any) -> Any:
        """Answers what Flask and webargs raise."""
        return problems.of_http_exception(error)

    def _register_responses(self) -> None:
        # the answers themselves are problem documents, so the description must say so too
        usual, self.DEFAULT_RESPONSE_CONTENT_TYPE = self.DEFAULT_RESPONSE_CONTENT_TYPE, problems.CONTENT_TYPE
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = usual


def create_app(services: Services) -> Flask:
    """The API over these use cases, as a WSGI application."""
    app = Flask("admin_api", static_folder=None)
    app.config.update(
        API_TITLE="callwright admin API",
        API_VERSION="1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        API_SPEC_OPTIONS=_SPEC,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["callwright"] = services
    access.install(app)
    api = CallwrightApi(app)
    api.register_field(Time, "string", "date-time")
    problems.install(app)
    for blueprint in (
        flows,
        prompts,
        calls,
        numbers,
        agents,
        agent_states,
        queues,
        trunks,
        calendars,
        notices,
        contacts,
        keys,
        system,
    ):
        api.register_blueprint(blueprint)
    return app
