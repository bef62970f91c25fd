"""The environment in which Genesis runs: its pins (redis 5, rich 13, typer 0.12) conflict with ours.

Made once by pip from whatever index the user has configured, and kept in the user's cache directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

GENESIS = "genesis==2026.10.18"
NEWEST = (3, 12)
"""Genesis names no newer Python."""
_MADE = "made"
_PIP_S = 600


class EnvironmentMissing(Exception):
    """The environment can't be made; `str` says why and how to mend it."""


def user_cache() -> Path:
    """Where programs of this user keep what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callwright"


def genesis_python(directory: Path, progress: Callable[[str], None]) -> Path:
    """The Python of the environment, which is made when it is not there. Raises EnvironmentMissing."""
    home = directory.absolute() / GENESIS.replace("==", "-")
    python = home / "bin" / "python"
    if (home / _MADE).exists() and python.exists():
        return python
    progress(f"an environment for {GENESIS} is made in {home} (once)")
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    _run([_interpreter(), "-m", "venv", str(home)], "python -m venv")
    # no endless retries: without a network one wants to know soon
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
    _run([*pip, "install", "--quiet", GENESIS], f"pip install {GENESIS}")
    (home / _MADE).touch()
    return python


def _interpreter() -> str:
    if sys.version_info[:2] <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], 9, -1):
        found = shutil.which(f"python3.{minor}")
        if found is not None:
            return found
    raise EnvironmentMissing(f"Genesis needs a Python up to {NEWEST[0]}.{NEWEST[1]}, and there is none on the PATH")


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise EnvironmentMissing(f"{what} failed: {fault}") from fault
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).strip().splitlines() if line.strip()]
        reason = next((line for line in reversed(said) if "ERROR" in line), said[-1] if said else "it said nothing")
        raise EnvironmentMissing(f"{what} failed: {reason.strip()[:300]}; it needs a package index (network) once")
