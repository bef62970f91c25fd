"""A text with expressions in it: `Your balance is {balance} crowns, {call.caller_name}.` A brace itself is doubled."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ivr_flows.expressions import Expression

LONGEST = 2000

_PART = re.compile(
    r"""(?P<text>(?:[^{}]|\{\{|\}\})+)|\{(?P<expression>(?:[^{}"']|"[^"]*"|'[^']*')+)\}|(?P<wrong>.)""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Template:
    """A text in parts. Two are equal when their source is."""

    source: str
    expressions: tuple[Expression, ...] = field(compare=False, repr=False)
    texts: tuple[str, ...] = field(compare=False, repr=False)
    """What stands before, between and after the expressions."""

    @classmethod
    def parse(cls, source: str) -> Template:
        """Raises ValueError with the place where the text can't be understood."""
        texts, expressions = [""], []
        for part in _PART.finditer(source):
            if part["text"] is not None:
                texts[-1] += part["text"].replace("{{", "{").replace("}}", "}")
            elif part["expression"] is not None:
                try:
                    expressions.append(Expression.parse(part["expression"]))
                except ValueError as error:
                    raise ValueError(f"in {{{part['expression']}}}: {error}") from None
                texts.append("")
            else:
                place = f"column {part.start() + 1}"
                message = f"{place}: an expression is written {{like_this}}, a brace in the text doubled: {{{{ or }}}}"
                raise ValueError(message)
        return cls(source, tuple(expressions), tuple(texts))

    def fill(self, text: Callable[[Expression], str]) -> str:
        """The text with what each expression comes to."""
        filled = [part for pair in zip(self.texts, map(text, self.expressions), strict=False) for part in pair]
        return "".join([*filled, self.texts[-1]])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(min_length=1, max_length=LONGEST)
        return core_schema.no_info_after_validator_function(cls.parse, text)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "maxLength": LONGEST, "format": "callwright-template"}
