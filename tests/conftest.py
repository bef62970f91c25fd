"""What all tests share. See tests/plugins/ for each."""

from __future__ import annotations

pytest_plugins = [
    "tests.plugins.left_out",
    "tests.plugins.requirements",
    "tests.plugins.services",
    "tests.plugins.switches",
]
