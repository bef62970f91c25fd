"""The node contract, and the registry of node types.

A node is a frozen dataclass with a closed set of exits. Its `run` is a generator that reads like blocking code:

    @node("play", exits={"done": "played to the end", "error": "a recording is missing"})
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Play(Node):
        prompts: Prompts

        def run(self, call: Call) -> NodeRun:
            got = yield from ask(instructions.Play(call.media(self.prompts)))
            return "error" if isinstance(got, PlayFailed) else "done"

It returns the exit's name. When the caller hangs up, `CallerGone` is thrown in where it waits, so that `finally` cleans
up; what it still yields then may only be `SetAttributes` or `Record`. A node reads no clock, no chance and no database.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import ClassVar, Literal, Protocol, TypeVar, cast

from pydantic import ConfigDict

from ivr_flows import instructions as do
from ivr_flows import say
from ivr_flows.call import Call
from ivr_flows.expressions import Expression, Type, Value
from ivr_flows.results import Collected, PlayFailed, Result

Kind = Literal["inbound", "queue_wait", "outbound", "callback", "sub"]
KINDS: tuple[Kind, ...] = ("inbound", "queue_wait", "outbound", "callback", "sub")


@dataclass(frozen=True, slots=True)
class NextFlow:
    """Returned by a node in place of an exit: the flow goes on in another one, at its entry."""

    flow: str
    version: str


@dataclass(frozen=True, slots=True)
class SubFlow:
    """Returned by a node in place of an exit: the other flow is run, and the node is left when that has ended.

    Left by `returned` after its `return_flow`, and by `error` where it failed or is called too deeply. The variables of
    `arguments` are given to it, those of `results` (ours: its own) taken over after it.
    """

    flow: str
    version: str
    arguments: Mapping[str, Value] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Return:
    """Returned by a node in place of an exit: back to the flow that called this one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a node finds wrong with itself beyond single fields: which field, what is wrong and how to mend it."""

    field: str
    message: str


class Scope(Protocol):
    """What a node is told of the flow that it stands in, when it is checked."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The flow's languages."""

    def variable(self, name: str) -> Type | None:
        """The type of a declared variable, None for one that isn't declared."""

    def type_of(self, expression: Expression) -> Type | None:
        """The type of an expression, None for one with a mistake, which is reported without the node's help."""


End = str | NextFlow | SubFlow | Return | None
NodeRun = Generator[do.Instruction, Result, End]
"""Ends with the exit's name, with where to go on, or with None after a `Hangup`."""


class UnexpectedResult(Exception):
    """The runtime answered an instruction with a result that is no answer to it."""


class Node:
    """Base of all node types. The class attributes are set by `@node`."""

    __slots__ = ()
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    TYPE: ClassVar[str]
    EXITS: ClassVar[tuple[str, ...]]
    """All exits, or those that exist besides the ones that the node's fields name."""
    MEANINGS: ClassVar[Mapping[str, str]]
    """When each exit is taken, for the reference; of those that fields name too, as far as they have fixed names."""
    MORE_EXITS: ClassVar[bool]
    """Whether the node's fields name further exits."""
    KINDS: ClassVar[frozenset[Kind]]
    ENDS: ClassVar[bool]
    """Whether the flow ends here, by hanging up or by going on in another flow."""
    TIMED: ClassVar[frozenset[str]]
    """The exits before which time surely passes for the caller, even where prompts are missing and services fail: a
    waiting flow may go round by them as often as it likes."""
    NEEDS: ClassVar[str | None]
    """What an installation must have to run it, beyond what all of them have (`World.names("feature")`)."""

    def exits(self) -> tuple[str, ...]:
        """All exits of this node; each of them must be wired."""
        return self.EXITS

    def input_exits(self) -> frozenset[str]:
        """The exits that are taken only after the caller has pressed a key."""
        return frozenset()

    def writes(self, exit_name: str) -> frozenset[str]:
        """The variables that are surely set when the node is left by this exit."""
        return frozenset()

    def counts(self) -> Mapping[str, int]:
        """The variables to which each pass adds the same number, and that number, which is not 0."""
        return {}

    def bounded_exits(self) -> Mapping[str, int]:
        """The exits that a call takes only so many times in this flow, whatever happens; like those of a counter."""
        return {}

    def choices(self) -> tuple[tuple[Expression, str], ...]:
        """Where the exit depends on expressions alone: each condition, in the order in which they are tried, and the
        exit that is taken when it is true. When none of them is, the exit is `default`."""
        return ()

    def longest_ms(self, sounds: Callable[[Iterable[str]], int]) -> int:
        """The longest time that passes here before the node is left, without waiting for a person to answer, in ms.

        `sounds` gives the length of prompts that are played one after the other.
        """
        return 0

    def faults(self, scope: Scope) -> Iterator[Fault]:
        """What is wrong between this node's fields, or between them and the flow."""
        return iter(())

    def run(self, call: Call) -> NodeRun:
        raise NotImplementedError


REGISTRY: dict[str, type[Node]] = {}
"""All node types by name."""

_N = TypeVar("_N", bound=Node)
_R = TypeVar("_R")


def node(
    name: str,
    *,
    exits: Mapping[str, str],
    more_exits: Mapping[str, str] | None = None,
    kinds: tuple[Kind, ...] = KINDS,
    ends: bool = False,
    timed: tuple[str, ...] = (),
    needs: str | None = None,
    registry: dict[str, type[Node]] = REGISTRY,
) -> Callable[[type[_N]], type[_N]]:
    """Enter a node type in the registry. Raises `TypeError` for a class that doesn't keep the contract.

    `exits` are those that every node of this type has, `more_exits` those that its fields name, each with when it is
    taken; a key like `*one for each case*` stands for names that are free.

    tests/unit/ivr_flows/test_registry.py refuses a type without golden cases, schema or documentation.
    """

    def register(cls: type[_N]) -> type[_N]:
        if name in registry:
            raise TypeError(f"the node type {name!r} exists already")
        _must_keep_the_contract(cls)
        cls.TYPE, cls.EXITS, cls.MORE_EXITS = name, tuple(exits), bool(more_exits)
        cls.MEANINGS = {**exits, **(more_exits or {})}
        if unknown := set(timed) - cls.MEANINGS.keys():
            raise TypeError(f"{cls.__name__} has no exits {sorted(unknown)}, before which time is said to pass")
        cls.KINDS, cls.ENDS, cls.TIMED, cls.NEEDS = frozenset(kinds), ends, frozenset(timed), needs
        registry[name] = cls
        return cls

    return register


def _must_keep_the_contract(cls: type[Node]) -> None:
    if not is_dataclass(cls) or not cls.__dataclass_params__.frozen:
        raise TypeError(f"{cls.__name__} must be a frozen dataclass")
    if cls.run is Node.run:
        raise TypeError(f"{cls.__name__} has no run")
    if cls.__doc__ is None or cls.__doc__.startswith(f"{cls.__name__}("):
        raise TypeError(f"{cls.__name__} has no docstring")
    if {"type", "exits"} & {each.name for each in fields(cls)}:
        raise TypeError(f"{cls.__name__} has a field named type or exits, which are the envelope's")


def unspeakable(scope: Scope, place: str) -> Iterator[Fault]:
    """The faults of a node that says something, in a flow with languages for which there are no recorded pieces."""
    for language in scope.languages:
        if language not in say.LANGUAGES:
            spoken = ", ".join(say.LANGUAGES)
            yield Fault(place, f"numbers and digits can't be said in '{language}', only in: {spoken}")


def ask(instruction: do.Asks[_R]) -> Generator[do.Instruction, Result, _R]:
    """Yield the instruction and give back its result. Raises `UnexpectedResult` for one of another kind."""
    result = yield cast("do.Instruction", instruction)
    if not isinstance(result, ANSWERS[type(instruction)]):
        raise UnexpectedResult(f"{type(result).__name__} is no answer to {type(instruction).__name__}")
    return cast("_R", result)


ANSWERS: Mapping[type, tuple[type, ...]] = {each: each.answers() for each in do.INSTRUCTIONS}
"""Which results answer which instruction."""


def gather(question: do.Collect) -> Generator[do.Instruction, Result, Collected]:
    """Collect keys; where a prompt can't be played, collect them without it: who knows the menu may go on.

    Raises `UnexpectedResult` when not even that works.
    """
    got = yield from ask(question)
    if isinstance(got, PlayFailed):
        silent = do.Collect(
            media=(),
            max_digits=question.max_digits,
            timeout_ms=question.timeout_ms,
            interdigit_timeout_ms=question.interdigit_timeout_ms,
            terminators=question.terminators,
        )
        got = yield from ask(silent)
    if isinstance(got, PlayFailed):
        raise UnexpectedResult("PlayFailed is no answer to Collect without prompts")
    return got
