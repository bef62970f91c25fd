"""The envelope of a flow: everything around its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from ivr_flows.expressions import TEXT_LENGTH
from ivr_flows.fields import NAME, PATH, VARIABLE
from ivr_flows.flow import MAX_SECONDS, MAX_STEPS
from ivr_flows.node import Kind

STRICT = ConfigDict(extra="forbid", strict=True)

LANGUAGE = r"^[a-z]{2}$"

Id = Annotated[str, Field(pattern=NAME)]
Language = Annotated[str, Field(pattern=LANGUAGE)]
Path = Annotated[str, Field(pattern=PATH)]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableSpec:
    """A variable: its type, and the value that it has when the flow begins."""

    __pydantic_config__ = STRICT

    type: Annotated[Literal["string", "number", "boolean"], Field(description="what the variable holds")]
    default: Annotated[
        Any,
        Field(description="the value at the flow's beginning; without one it must be set before it is read"),
        WithJsonSchema({"type": ["string", "integer", "boolean", "null"], "maxLength": TEXT_LENGTH}),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A prompt to be spoken by a speech engine."""

    __pydantic_config__ = STRICT

    tts: Annotated[str, Field(min_length=1, max_length=2000, description="the text to speak")]


def _source_tag(value: Any) -> str:
    return "tts" if isinstance(value, dict) else "file"


PromptSource = Annotated[
    Annotated[Path, Tag("file")] | Annotated[Speech, Tag("tts")],
    Discriminator(_source_tag),
]
PromptSpec = Annotated[Mapping[Language, PromptSource], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSpec:
    """What ends a call that goes round in circles."""

    __pydantic_config__ = STRICT

    max_steps: Annotated[int, Field(ge=1, le=100_000, description="nodes that a call may enter")] = MAX_STEPS
    max_seconds: Annotated[int, Field(ge=1, le=86_400, description="seconds in flows, conversations not counted")] = (
        MAX_SECONDS
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A flow of a call: a graph of nodes."""

    __pydantic_config__ = STRICT

    schema: Annotated[Literal["callwright/flow/1"], Field(description="the format of this document")]
    id: Annotated[Id, Field(description="the flow's id; its versions share it")]
    name: Annotated[str, Field(min_length=1, max_length=100, description="the flow's name for people")]
    kind: Annotated[Kind, Field(description="where the flow is used; decides which nodes are allowed")]
    languages: Annotated[
        tuple[Language, ...],
        Field(min_length=1, max_length=10, description="languages spoken, ISO 639-1; the first one is the default"),
    ]
    entry: Annotated[Id, Field(description="the node at which a call begins")]
    variables: Annotated[
        Mapping[Annotated[str, Field(pattern=VARIABLE)], VariableSpec],
        Field(max_length=200, description="the flow's variables by name"),
    ] = field(default_factory=dict)
    prompts: Annotated[
        Mapping[Id, PromptSpec],
        Field(max_length=1000, description="prompts by name, each with a source for every language"),
    ] = field(default_factory=dict)
    limits: Annotated[LimitsSpec, Field(description="what ends a call that goes round in circles")] = field(
        default_factory=LimitsSpec
    )
    nodes: Annotated[
        Mapping[Id, dict[str, Any]],
        Field(min_length=1, max_length=2000, description="the nodes by id"),
    ]
    layout: Annotated[Any, Field(description="where the editor draws the nodes; no part of the version")] = None
