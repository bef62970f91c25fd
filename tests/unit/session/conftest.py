from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.session.centre import Centre


@pytest.fixture
def centre() -> Iterator[Callable[..., Centre]]:
    """Makes call centres, and closes them."""
    opened: list[Centre] = []

    def make(*flows: Any, **settings: Any) -> Centre:
        opened.append(Centre(*flows, **settings))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
