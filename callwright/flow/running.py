"""`callwright flow run`: be the caller, in a terminal or by a script."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from callwright.flow.documents import read_document

if TYPE_CHECKING:
    from callwright.caller.course import Course, Decides, Player, Turn
    from callwright.caller.script import Item
    from ivr_flows import CallData, Flow
    from ivr_flows.instructions import Instruction, Media, Step
    from ivr_flows.results import Result

_C = TypeVar("_C", bound=Callable[..., Any])
_CAUGHT = ("flow_error", "step_limit", "time_limit")
"""Ends that no flow should come to."""


def caller_facts(command: _C) -> _C:
    """The options that say who calls; `facts` makes them into a call."""
    for option in (
        click.option("--call-id", default="call-1", help="The call's id, by which `split` divides."),
        click.option("--at-ms", default=0, help="When the call comes, UTC epoch ms."),
        click.option("--language", default="", help="The route's language.  [default: the flow's first]"),
        click.option(
            "--position", default=0, type=click.IntRange(0, 99_999), help="In a waiting flow: the caller's place."
        ),
        click.option(
            "--wait", default="", metavar="LOW-HIGH", help="In a waiting flow: how long he may expect to wait, s."
        ),
        click.option("--to", "did", default="+420222333444", show_default=True, help="The number that was called."),
        click.option(
            "--from",
            "ani",
            default="+420601234567",
            show_default=True,
            help="The caller's number; '' for one that is hidden.",
        ),
    ):
        command = option(command)
    return command


def facts(ani: str, did: str, language: str, at_ms: int, call_id: str, position: int, wait: str) -> CallData:
    """The call that the options of `caller_facts` describe. Raises click's error, which ends the command with 2."""
    from ivr_flows import CallData
    from ivr_flows.results import QueueStanding

    low, dash, high = wait.partition("-")
    if wait and not (dash and all(each.isdecimal() and len(each) < 6 for each in (low, high))):
        raise click.UsageError(f"--wait: '{wait}' is no range in seconds, like 120-240")
    expected = (int(low), int(high)) if wait else (None, None)
    standing = QueueStanding(position, 0, *expected) if position or wait else None
    return CallData(
        did, ani, anonymous=not ani, language=language, started_ms=at_ms, call_id=call_id, standing=standing
    )


def read_flows(files: Sequence[Path]) -> tuple[list[dict[str, Any]], dict[str, Flow]]:
    """The documents, and the flows by id. Raises click's error, which ends the command with 2."""
    import ivr_flows

    documents = [read_document(file) for file in files]
    flows = {}
    for file, document in zip(files, documents, strict=True):
        try:
            flow = ivr_flows.load_stored(document)
        except ivr_flows.FlowInvalid as invalid:
            raise click.UsageError(f"{file}: {invalid.findings[0]}; callwright flow check tells all") from None
        if flow.id in flows:
            raise click.UsageError(f"{file}: the flow {flow.id} was given already")
        flows[flow.id] = flow
    return documents, flows


@click.command(
    epilog="""\b
Examples:
  callwright flow run main.json                                  press keys, let time pass, hang up
  callwright flow run main.json --keys "1,pause 5s,hangup"
  callwright flow run main.json night.json --keys "2,calendar=closed"
  callwright flow run main.json --keys "1,agent=busy" --repro > tests/golden/flows/main-busy.json
  callwright flow run waiting.json --keys "pause 5m,hangup" --position 3 --wait 120-240

\b
Items, with commas between them:
  12#            press these keys when the flow next waits for keys
  silence        press nothing the next time that it does
  pause 5s       let time pass (ms, s or m), then go on with what follows
  hangup         hang up, at this very instruction
  ok             the usual answer to one instruction, whatever it is
  agent=busy     the answer to the next instruction of this kind: dial=no_answer, http=timeout,
                 http={"name": "Eva"}, queue=timeout, calendar=closed; a word that doesn't exist tells all
  again 2        from here on the last two items again and again
"""
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--keys", metavar="ITEMS", help="Don't ask: do this, then wait in silence until the flow ends.")
@click.option("--repro", is_flag=True, help="Print a golden case of the call; what happens goes to standard error.")
@caller_facts
def run(files: tuple[Path, ...], keys: str | None, repro: bool, **caller: Any) -> None:
    """Call the flow in FILE: see what is played, press keys, choose what agents, trunks and services answer.

    Further files are flows that it leads to. Time passes on a virtual clock; a recording counts as five seconds. Ends
    with 0 when the call ends in order, 1 when the flow fails or comes to a limit, 2 when a file or an item can't be
    read, or when the call had ended before all items had their turn.
    """
    from callwright.caller import course as courses
    from callwright.caller.script import ScriptError, parse

    documents, flows = read_flows(files)
    try:
        items = parse(keys or "")
    except ScriptError as error:
        raise click.UsageError(f"--keys: {error}") from None
    data, flow = facts(**caller), next(iter(flows.values()))
    teller = _Teller(to_stderr=repro)
    player = courses.Player(items, flows, teller.ask if keys is None else None)
    course = courses.call(flows, flow, data, teller.listening(player), teller.tell)
    teller.end(course, player)
    if repro:
        click.echo(_case(course, documents, data, player))
    if course.outcome is not None and course.outcome.end in _CAUGHT:
        sys.exit(1)
    sys.exit(2 if keys is not None and player.unused else 0)


def _case(course: Course, documents: Sequence[dict[str, Any]], data: CallData, player: Player) -> str:
    from callwright.caller.course import golden_case
    from callwright.caller.script import text_of
    from ivr_flows.golden import GoldenError

    about = f"flow run {documents[0]['id']}: {text_of(player.script) or 'a silent caller'}"
    try:
        return json.dumps(golden_case(course, documents, data, about), indent=2, ensure_ascii=False)
    except GoldenError as error:
        raise click.ClickException(f"no golden case: {error}") from None


class _Teller:
    """Tells a person what happens, and asks what that person does."""

    def __init__(self, to_stderr: bool) -> None:
        self._err = to_stderr
        self._told_ms = 0

    def listening(self, player: Player) -> Decides:
        """The player, with each step shown before it is answered; Ctrl-C hangs up."""

        def decide(step: Step) -> tuple[Result | None, int]:
            for node in step.entered:
                by = f"  ({node.exit})" if node.exit else ""
                self._say(click.style(f"{node.flow}/{node.node}", bold=True) + by)
            self._say(f"    {shown(step.instruction)}")
            try:
                return player(step)
            except (KeyboardInterrupt, EOFError, click.Abort):
                return None, 0

        return decide

    def ask(self, step: Step) -> Sequence[Item]:
        """What the person says to this instruction, if there is anything to be said."""
        from callwright.caller.answers import WORDS
        from callwright.caller.script import Answer, ScriptError, parse
        from ivr_flows import instructions as do

        instruction = step.instruction
        listens = isinstance(instruction, do.Collect) or bool(
            getattr(instruction, "stop_keys", "") or getattr(instruction, "exit_keys", "")
        )
        words = WORDS[instruction.op]
        if not listens and (len(words) < 2 or isinstance(instruction, do.Play)):
            return ()
        offered = "keys, Enter for none, h to hang up" if listens else f"{', '.join(words)}; Enter: {next(iter(words))}"
        while True:
            text = click.prompt(f"    > {offered}", default="", show_default=False, prompt_suffix=": ", err=self._err)
            text = "hangup" if text == "h" else text.strip()
            if text in words or text.startswith("{"):
                text = f"{instruction.op}={text}"
            try:
                items = parse(text)
            except ScriptError as error:
                self._say(f"      {error}")
                continue
            if unfit := [each for each in items if isinstance(each, Answer) and each.op != instruction.op]:
                self._say(f"      {unfit[0]} is no answer to this")
                continue
            return items or parse("ok")

    def tell(self, turn: Turn) -> None:
        """The result, and the time where some has passed."""
        passed = turn.at_ms - self._told_ms
        self._told_ms = turn.at_ms
        told = "the caller hangs up" if turn.result is None else result_shown(turn.result)
        if told or passed:
            self._say(f"{turn.at_ms / 1000:>8.1f} s  -> {told or 'done'}")

    def end(self, course: Course, player: Player) -> None:
        outcome = course.outcome
        if outcome is None:
            self._say(f"the call goes on in the flow {course.left_to}; give its file too to follow it")
        else:
            reason = f", {outcome.reason}" if outcome.reason else ""
            colour = "red" if outcome.end in _CAUGHT else "green"
            self._say(
                f"{click.style(outcome.end, fg=colour)} at {outcome.flow}/{outcome.node} after "
                f"{course.at_ms / 1000:.1f} s: {outcome.cause}{reason}"
            )
        if player.unused:
            click.echo(f"not used, the call was over before: {', '.join(map(str, player.unused))}", err=True)

    def _say(self, text: str) -> None:
        click.echo(text, err=self._err)


def shown(instruction: Instruction) -> str:
    """The instruction for a person: what is heard, or what is asked of whom."""
    from ivr_flows.findings import plain
    from ivr_flows.golden import without_defaults

    content = without_defaults(instruction)
    op = content.pop("op")
    media = "".join(f"\n        {heard(each)}" for each in getattr(instruction, "media", ()))
    content.pop("media", None)
    fields = ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in content.items())
    return plain(f"{op}{f'  {fields}' if fields else ''}") + media


def heard(media: Media) -> str:
    """What is to hear, in words."""
    from ivr_flows import instructions as do
    from ivr_flows import library
    from ivr_flows.findings import plain

    match media:
        case do.Spoken(text=text):
            return f'"{plain(text)}"'
        case do.Pause(ms=ms):
            return f"(silence, {ms} ms)"
        case do.Tone(hz=hz):
            return f"(tone, {' + '.join(map(str, hz))} Hz)"
    parts = Path(media.path).parts
    spoken = library.GENERAL.get(Path(media.path).stem, {}).get(parts[1]) if parts[0] == "general" else None
    return plain(f"{media.path}: {spoken}" if spoken else media.path)


def result_shown(result: Result) -> str:
    """The result for a person; nothing where there is nothing to tell."""
    if result.kind in ("done", "played") and not getattr(result, "key", None):
        return ""
    values = {each.name: getattr(result, each.name) for each in dataclasses.fields(result) if each.name != "kind"}
    told = [f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value is not None]
    return f"{result.kind}: {', '.join(told)}"
