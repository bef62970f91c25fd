"""Measurements that anybody can repeat: what a call costs, and what others take for it (docs/benchmarks.md)."""

CONTROLLERS = ("callwright", "greenswitch", "genesis")
"""Who is compared by `callwright bench esl`, in the order of the table."""
