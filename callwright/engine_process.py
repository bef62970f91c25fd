"""The engine as a process: `python -m callwright.engine_process [--config FILE]`, what `callwright engine` executes.

gevent must replace the standard library's blocking parts before anything else imports them; so this is the first of our
modules that the process loads, and its first act is that.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from pathlib import Path  # noqa: E402


def main(arguments: list[str]) -> int:
    """Run the engine until it is told to stop; the exit code."""
    from engine.config import ConfigError, load

    path = Path(arguments[1]) if arguments[:1] == ["--config"] and len(arguments) == 2 else None
    if arguments and path is None:
        print("usage: python -m callwright.engine_process [--config FILE]", file=sys.stderr)
        return 2
    try:
        config = load(path)
        config.require("database.url", "redis.url", "switches")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 78  # EX_CONFIG: a supervisor need not try again
    from engine import app

    return app.run(config)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
