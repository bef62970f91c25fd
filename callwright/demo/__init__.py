"""`callwright demo`: real calls through the whole system: a main line and a queue."""

from callwright.demo.run import run

__all__ = ["run"]
