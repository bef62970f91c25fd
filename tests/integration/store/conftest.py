"""Databases for the tests of the store."""

from __future__ import annotations

from tests.integration.store.databases import database, empty_url, migrated_url, sql, url

__all__ = ["database", "empty_url", "migrated_url", "sql", "url"]
