"""Strategies for callers at random: what they do, and what the world answers them.

Keys, values and numbers come mostly from the flow itself: a caller who knows the menu's keys, the digits that a pattern
allows and the values that are compared with gets further than one who guesses.
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from callwright.caller import answers
from callwright.caller.script import Answer, HangUp, Item, Keys, Usual
from ivr_flows import codec, digits
from ivr_flows import instructions as do
from ivr_flows import results as came
from ivr_flows.call import CallData
from ivr_flows.flow import Flow
from ivr_flows.instructions import Step
from ivr_flows.nodes.collect import Collect
from ivr_flows.nodes.goto_flow import GotoFlow
from ivr_flows.nodes.menu import Menu

_LITERAL = re.compile(r"'([^'\n]{1,60})'|\"([^\"\n]{1,60})\"|\b(\d{1,12})\b")
_TRIES = 4000
_SAMPLES = 6
KEYS = "1234567890*#"
_STANDINGS = (
    *(None, came.QueueStanding(1), came.QueueStanding(21), came.QueueStanding(0, 0, 60, 240)),
    *(came.QueueStanding(1, 0, 0, 45), came.QueueStanding(3, 0, 150, 400), came.QueueStanding(100, 0, 3600, 5400)),
)
"""Where a caller stands who waits: not known at all, or his place with or without what he may expect."""


class Adversary:
    """The callers of these flows. The same draws give the same callers."""

    def __init__(self, flows: Mapping[str, Flow], documents: Sequence[Mapping[str, Any]]) -> None:
        self._flows = flows
        self._words = sorted({word for each in documents for word in _literals(each["nodes"])})
        self._right = {
            (flow.id, name): _digits_for(wired.node)
            for flow in flows.values()
            for name, wired in flow.nodes.items()
            if isinstance(wired.node, Collect)
        }
        self._values = list(dict.fromkeys(typed for each in self._right.values() for typed in each[:2]))
        """Texts that the world may answer with: digits that callers type, and what the flow compares with."""
        self._values += self._words
        self._numbers = sorted({int(word) + by for word in self._words if word.isdecimal() for by in (-1, 0, 1)})
        self._strategies: dict[tuple[str, str, str, tuple[str, ...]], st.SearchStrategy[Item]] = {}

    def calls(self, first: Flow) -> st.SearchStrategy[CallData]:
        """Who calls: known numbers and hidden ones, every language, any call id for `split`, any place in a queue."""
        numbers = [word for word in self._words if digits.is_dialable(word) and len(word) > 2]
        called = st.sampled_from(["+420222333444", *numbers])
        calling = st.sampled_from(["+420601234567", "", "+420222333444", *numbers])
        language = st.sampled_from(["", *first.languages])
        call_id = st.integers(1, 999).map(lambda number: f"call-{number}")
        standing = st.sampled_from(_STANDINGS) if first.kind == "queue_wait" else st.none()
        return st.builds(_call, called, calling, language, call_id, standing)

    def items(
        self, step: Step, flow: str, node: str, seen: Sequence[str], *, adverse: bool = False
    ) -> st.SearchStrategy[Item]:
        """What may come at this instruction; the usual answer first. `seen`: what was typed and answered before.

        `adverse`: never the usual answer where there is another one.
        """
        instruction = step.instruction
        if not isinstance(instruction, do.Collect | do.HttpRequest | do.FindContact):
            seen = ()
        if adverse:
            return st.sampled_from(self._answers(instruction, flow, node) or [Usual()])
        key = (flow, node, repr(instruction), tuple(seen))
        if key not in self._strategies:
            self._strategies[key] = self._made(instruction, flow, node, seen)
        return self._strategies[key]

    def _made(self, instruction: do.Instruction, flow: str, node: str, seen: Sequence[str]) -> st.SearchStrategy[Item]:
        usual: list[Item] = [Usual()]
        words = self._answers(instruction, flow, node)
        keys = self._keys(instruction, flow, node, seen)
        # Weights: callers who hang up everywhere, or meet nothing but faults, never see the rest of the flow.
        choices = [*keys, *words]
        drawn: list[Item] = (
            [*usual * 2, *choices * 2, HangUp()] if len(choices) > 2 else [*usual * 10, *choices, HangUp()]
        )
        fixed = st.sampled_from(drawn)
        free = self._free(instruction, seen)
        return st.one_of(fixed, fixed, *free) if free else fixed

    def _answers(self, instruction: do.Instruction, flow: str, node: str) -> list[Item]:
        """The answers that have a word. An upload sees to it that a flow to go on in exists."""
        at = self._flows[flow].nodes[node].node
        if isinstance(at, GotoFlow):
            return []
        op, usual = instruction.op, answers.usual(instruction, self._flows)
        return [
            Answer(op, result, word)
            for word, result in answers.WORDS[op].items()
            if result != usual and answers.fits(result, instruction)
        ]

    def _keys(self, instruction: do.Instruction, flow: str, node: str, seen: Sequence[str]) -> list[Item]:
        match instruction:
            case do.Play(stop_keys=keys) | do.Enqueue(exit_keys=keys):
                return [Keys(key) for key in keys]
            case do.Collect(max_digits=most, terminators=terminators):
                at = self._flows[flow].nodes[node].node
                if isinstance(at, Menu):
                    known = list(at.keys)
                elif most == 1:
                    known = list("12345")
                else:
                    answered = [word for word in seen if word.isdecimal()]
                    likely = [*self._right.get((flow, node), ()), *answered * 3]
                    known = [*likely * 3, *(word for word in self._words if word.isdecimal())]
                return [Keys(each[:most] + terminators[: len(each) < most]) for each in known]
        return []

    def _free(self, instruction: do.Instruction, seen: Sequence[str]) -> list[st.SearchStrategy[Item]]:
        """Anything else that fits."""
        match instruction:
            case do.Collect(max_digits=most):
                return [st.text(KEYS, min_size=1, max_size=most).map(Keys)]
            case do.HttpRequest(results=names) if names:
                known = ["", True, False, 0, 1, None, *self._values, *self._numbers, *seen]
                values = st.fixed_dictionaries(dict.fromkeys(names, st.sampled_from(known)))
                return [values.map(lambda found: _answer("http", came.HttpAnswered(200, found)))]
            case do.FindContact(fields=fields) if fields:
                texts = st.sampled_from(["", "Eva", *self._values, *seen])
                found = st.fixed_dictionaries(dict.fromkeys(fields, texts))
                return [found.map(lambda each: _answer("find_contact", came.ContactsFound(1, each)))]
            case do.ReadQueue():
                figures = st.sampled_from([0, 1, 5, *(number for number in self._numbers if number >= 0)])
                made = st.builds(came.QueueFigures, figures, figures, figures, figures, st.none() | figures)
                return [made.map(lambda each: _answer("read_queue", each))]
        return []


def _answer(op: str, result: came.Result) -> Item:
    return Answer(op, result, json.dumps(codec.dump_result(result), ensure_ascii=False))


def _call(did: str, ani: str, language: str, call_id: str, standing: came.QueueStanding | None) -> CallData:
    return CallData(did, ani, anonymous=not ani, language=language, call_id=call_id, standing=standing)


def _literals(part: Any) -> Iterator[str]:
    """The texts and numbers that stand in a part of the document, those of expressions without their quotes."""
    if isinstance(part, Mapping):
        for name, each in part.items():
            if name not in ("type", "exits", "prompts", "text"):
                yield from _literals(each)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _literals(each)
    elif isinstance(part, str):
        for found in _LITERAL.finditer(part):
            yield next(each for each in found.groups() if each)
    elif isinstance(part, int) and not isinstance(part, bool):
        yield str(part)


def _digits_for(node: Collect) -> list[str]:
    """Digits that the node takes, found by trying; always the same ones. A check digit keeps one in ten or fewer."""
    chance = random.Random(0)
    found: list[str] = []
    for _ in range(_TRIES):
        if node.patterns:
            typed = _by_pattern(chance.choice(node.patterns), chance)
        else:
            size = chance.randint(node.min_digits, node.max_digits)
            if node.check is not None:
                size = {"luhn": max(2, size), "ico": 8, "rodne_cislo": 10}[node.check]
            typed = "".join(chance.choices(string.digits, k=size))
        fits = node.min_digits <= len(typed) <= node.max_digits
        if fits and (node.check is None or digits.CHECKS[node.check](typed)):
            found.append(typed)
            if len(found) == _SAMPLES:
                break
    return found


def _by_pattern(pattern: str, chance: random.Random) -> str:
    allowed, is_open = digits.places(pattern)
    typed = "".join(chance.choice(each) for each in allowed if each)
    return typed + "".join(chance.choices(string.digits, k=chance.randint(0, 8))) if is_open else typed
