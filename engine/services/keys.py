"""Keys of the API (R121): made once, shown once, kept as a hash.

A key reads `cw_<id>_<secret>`. The secret has 256 random bits, so that one round of SHA-256 is enough to keep it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dialplan.faults import Fault
from engine.services.changes import Actor, Changes
from engine.services.errors import KeyNotFound, KeyRefused
from engine.store.audit import KeyRow, KeyStore
from engine.store.database import Database

BOOTSTRAP = "bootstrap"
"""The name under which keys of the configuration act."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `key` is shown this once."""

    id: str
    name: str
    key: str = field(repr=False)


class Keys:
    """Makes, checks and revokes keys. `bootstrap` are the keys of the configuration: they need no database."""

    def __init__(self, database: Database, changes: Changes, bootstrap: Iterable[str] = ()) -> None:
        self._store = KeyStore(database)
        self._changes = changes
        self._bootstrap = tuple(_hash(key) for key in bootstrap)

    def authenticate(self, key: str) -> str | None:
        """The name under which the holder of the key acts, or None when it is none in force."""
        digest = _hash(key)
        # every one is compared, whichever fits: the time taken tells nothing
        if sum(hmac.compare_digest(digest, each) for each in self._bootstrap):
            return BOOTSTRAP
        prefix, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != "cw" or not secret or not key_id.isalnum() or not key_id.isascii():
            return None
        row = self._store.get(key_id)
        fits = hmac.compare_digest(digest, row.hash if row else _hash(""))
        return row.name if row and fits and row.revoked_ms is None else None

    def create(self, name: str, by: Actor) -> NewKey:
        """Makes a key. Raises KeyRefused for a name that is none."""
        if not name.strip() or len(name) > 80 or not name.isprintable() or name == BOOTSTRAP:
            raise KeyRefused([Fault("name", f'"{name}" is not a name of 1 to 80 printable characters')])
        key_id = secrets.token_hex(6)
        key = f"cw_{key_id}_{secrets.token_urlsafe(32)}"
        with self._changes.of_other(by, "key.create", f"key:{key_id}") as change:
            change.detail["name"] = name
            self._store.add(change.session, KeyRow(key_id, name, _hash(key), change.now_ms, by.name))
        return NewKey(key_id, name, key)

    def list(self) -> Sequence[KeyRow]:
        """All keys, revoked ones too, newest first."""
        return self._store.list()

    def revoke(self, key_id: str, by: Actor) -> None:
        """Ends a key at once. Raises KeyNotFound."""
        with self._changes.of_other(by, "key.revoke", f"key:{key_id}") as change:
            if not self._store.revoke(change.session, key_id, change.now_ms):
                raise KeyNotFound(key_id)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
