"""Makes a prompt of the upload on its standard input; `recordings/conversion.py` starts it, with memory and seconds.

Answers with a line of JSON, what became of it, and the sound.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from typing import Any

LARGEST_FILE_BYTES = 256_000_000
"""What ffmpeg may write: ten minutes of one channel at 96 kHz are 115 MB."""


def main() -> None:
    memory_bytes, cpu_s, longest_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    # ffmpeg, where it is needed, gets the same limits
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, LARGEST_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # at the first SIGXCPU, which tells what it was
    from recordings.prompts import PromptError, normalise

    sound = b""
    try:
        made = asdict(normalise(sys.stdin.buffer.read(), longest_s=longest_s))
        sound = made.pop("wav")
        answer: dict[str, Any] = {"made": made}
    except PromptError as error:
        answer = {"refused": type(error).__name__, "words": str(error)}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + sound)


if __name__ == "__main__":
    main()
