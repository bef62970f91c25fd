"""flask-smorest with types: it comes without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flask_smorest  # type: ignore[import-untyped]
import marshmallow as ma
from flask import Request
from flask_smorest.arguments import FlaskParser  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]
SchemaLike = type[ma.Schema] | dict[str, Any]


class Refusal(HTTPException):
    """Input that does not fit its schema, found by a view. Has the form of what webargs raises."""

    def __init__(self, code: int, location: str, place: str, message: str) -> None:
        """`place` of the `location` ("json", "query") is at fault; "" for the whole."""
        super().__init__()
        self.code = code
        self.data = {"messages": {location: {place: [message]} if place else [message]}}


class Parser(FlaskParser):  # type: ignore[misc]
    """webargs' parser, which lets a body that is nested too deeply through as a fault of ours."""

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """The body as JSON values."""
        try:
            return super().load_json(req, schema)
        except RecursionError as error:
            raise Refusal(400, "json", "", "The body is nested too deeply.") from error


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """The part of flask-smorest's blueprint that the resources use."""

    ARGUMENTS_PARSER = Parser()

    def route(self, rule: str, **options: Any) -> Callable[[type], type]:
        """Puts a view under a path."""
        found: Callable[[type], type] = super().route(rule, **options)
        return found

    def arguments(self, schema: type[ma.Schema], **options: Any) -> Decorator[Any]:
        """Reads the body, or what `location` says, by a schema, and hands it to the view first."""
        found: Decorator[Any] = super().arguments(schema, **options)
        return found

    def query(self, schema: type[ma.Schema]) -> Decorator[Any]:
        """Reads the query by a schema; what the schema does not know is refused."""
        return self.arguments(schema, location="query", unknown=ma.RAISE)

    def response(self, status_code: int, schema: SchemaLike | None = None, **options: Any) -> Decorator[Any]:
        """Writes the view's value by a schema."""
        found: Decorator[Any] = super().response(status_code, schema, **options)
        return found

    def alt_response(self, status_code: int, response: str | None = None, **options: Any) -> Decorator[Any]:
        """Describes an answer besides the usual one."""
        found: Decorator[Any] = super().alt_response(status_code, response, **options)
        return found

    @staticmethod
    def doc(**values: Any) -> Decorator[Any]:
        """Adds to the description."""
        found: Decorator[Any] = flask_smorest.Blueprint.doc(**values)
        return found


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's Api."""

    DEFAULT_RESPONSE_CONTENT_TYPE: str = "application/json"
