"""How the engine's log is written."""

from __future__ import annotations

import json
import logging
import sys
import time

from engine.config import Config


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(config: Config) -> None:
    """Log to standard error as the configuration says, times in UTC."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    handler.setFormatter(JsonLines() if config.log.format == "json" else text)
    assert handler.formatter is not None
    handler.formatter.converter = time.gmtime
    logging.basicConfig(level=config.log.level.upper(), handlers=[handler], force=True)
