"""`callwright demo`: three real calls through the whole system."""

from callwright.demo.run import run

__all__ = ["run"]
