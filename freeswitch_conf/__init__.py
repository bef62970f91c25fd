"""Templates of the FreeSWITCH configuration, the same for trial and production.

`dialplan.render` fills them: `@{name}` in an attribute stands for a value, and a `<param>` whose value is left empty is
dropped. Dialplan, directory, trunks and access lists are not here, they are built in `dialplan`.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def template_dir() -> Path:
    """The directory of the templates. They are plain files: the package is never imported from an archive."""
    return Path(str(files(__name__) / "template"))
