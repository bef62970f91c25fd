"""Prompts made in a process of their own, which may take so much memory and time and no more.

What is uploaded is decoded by libraries in C, and a file made with bad intent may hold far more sound than its size
tells. Whatever it does to the process that decodes it, the API and its other requests notice nothing.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass

from engine.domain.prompt import ConverterBusy
from recordings import prompts
from recordings.prompts import LONGEST_S, ConversionFailed, Prompt, PromptError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one conversion. Ten minutes of eight channels at 96 kHz take 600 MB and 7 s."""

    memory_bytes: int = 1_000_000_000
    """Address space, libraries included; for ffmpeg the same once more."""
    cpu_s: int = 30
    longest_s: float = 40.0
    """From start to end, whatever it waits for."""
    turn_s: float = 15.0
    """How long to wait until it is this one's turn: with the conversion less than those who upload wait, a minute."""


LIMITS = Limits()

_turn = threading.Lock()
"""One at a time: many large uploads at once would take the machine from the calls."""


def convert(upload: bytes, *, longest_s: float = LONGEST_S, limits: Limits = LIMITS) -> Prompt:
    """`prompts.normalise` within limits. Raises PromptError, ConverterBusy, OSError."""
    prompts.check_size(upload)
    if not _turn.acquire(timeout=limits.turn_s):
        raise ConverterBusy("Other uploads are being converted. Try again in a minute.")
    try:
        # what ffmpeg writes is in there too, and goes with it however the program ends
        with tempfile.TemporaryDirectory(prefix="callwright-conversion-") as place:
            status, out, told = _run(upload, longest_s, limits, place)
    finally:
        _turn.release()
    head, _, wav = out.partition(b"\n")
    if status != 0 or not head:
        log.warning("a conversion ended with %d: %s", status, told)
        raise ConversionFailed(_why(status, limits))
    answer = json.loads(head)
    if "refused" in answer:
        raise _REFUSALS[answer["refused"]](answer["words"])
    made = answer["made"]
    return Prompt(**{**made, "wav": wav, "warnings": tuple(made["warnings"])})


_REFUSALS = {kind.__name__: kind for kind in PromptError.__subclasses__()}


def _run(upload: bytes, longest_s: float, limits: Limits, place: str) -> tuple[int, bytes, str]:
    """The program's exit code, negative for a signal, what it answered, and its last words."""
    # -P: the directory that happens to be the current one holds no modules of ours
    command = [sys.executable, "-P", "-m", "recordings.conversion_program"]
    command += [str(limits.memory_bytes), str(limits.cpu_s), str(longest_s)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(place),
        start_new_session=True,
    )
    with process:
        try:
            out, words = process.communicate(upload, timeout=limits.longest_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # ffmpeg with it
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return -signal.SIGALRM, b"", "took too long"
    return process.returncode, out, words.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]


def _environment(place: str) -> dict[str, str]:
    """What it needs to run, and none of our secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    # each thread of the matrix library would reserve memory for itself
    return kept | {"TMPDIR": place, "OPENBLAS_NUM_THREADS": "1"}


def _why(status: int, limits: Limits) -> str:
    if status == -signal.SIGALRM:
        return f"this file takes longer than {limits.longest_s:g} s to convert; {prompts.HELP}"
    if status == -signal.SIGXCPU:
        return f"this file takes more than {limits.cpu_s} s of computing to convert; {prompts.HELP}"
    return f"this file breaks the converter, or takes more memory than a prompt may; {prompts.HELP}"
