"""Databases for the tests of doctor, the same as the store's."""

from __future__ import annotations

from tests.integration.store.databases import empty_url, migrated_url, sql, url

__all__ = ["empty_url", "migrated_url", "sql", "url"]
