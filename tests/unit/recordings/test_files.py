from __future__ import annotations

import os
from pathlib import Path

import pytest

from recordings.files import QUARANTINE, REPAIR, RecordingFiles


@pytest.fixture
def files(tmp_path: Path) -> RecordingFiles:
    made = RecordingFiles(tmp_path / "spool")
    made.prepare()
    return made


def put(files: RecordingFiles, name: str, data: bytes = b"sound", modified_s: int | None = None) -> Path:
    path = files.directory / f"{name}.flac"
    path.write_bytes(data)
    if modified_s is not None:
        os.utime(path, (modified_s, modified_s))
    return path


def test_the_oldest_comes_first_and_only_recordings_come(files: RecordingFiles) -> None:
    put(files, "new", modified_s=200)
    put(files, "old", modified_s=100)
    (files.directory / "notes.txt").write_text("x")
    (files.directory / QUARANTINE / "bad.flac").write_bytes(b"x")
    (files.directory / "link.flac").symlink_to(files.directory / "notes.txt")
    assert files.waiting() == ["old", "new"]


@pytest.mark.req("R83")
def test_one_worker_at_a_time_holds_a_file(files: RecordingFiles) -> None:
    put(files, "r1")
    other = RecordingFiles(files.directory)
    with files.claim("r1") as mine:
        assert mine is not None
        with other.claim("r1") as theirs:
            assert theirs is None
    with other.claim("r1") as theirs:
        assert theirs is not None


def test_a_file_that_is_gone_is_not_claimed(files: RecordingFiles) -> None:
    with files.claim("r1") as mine:
        assert mine is None


@pytest.mark.req("R83")
def test_a_file_that_is_being_written_is_seen(files: RecordingFiles) -> None:
    path = put(files, "r1")
    with path.open("ab"), files.claim("r1") as file:
        assert file is not None
        assert file.has_writer is True
    with path.open("rb"), files.claim("r1") as file:
        assert file is not None
        assert file.has_writer is False


def test_a_file_that_changes_is_seen(files: RecordingFiles) -> None:
    path = put(files, "r1", modified_s=100)
    with files.claim("r1") as file:
        assert file is not None
        assert files.unchanged(file)
        path.write_bytes(b"other")
        assert not files.unchanged(file)


def test_what_is_put_aside_replaces_nothing(files: RecordingFiles) -> None:
    places = []
    for data in (b"one", b"two"):
        put(files, "r1", data)
        with files.claim("r1") as file:
            assert file is not None
            places.append(files.put_aside(file))
    assert [place.read_bytes() for place in places] == [b"one", b"two"]
    assert files.is_set_aside("r1")
    assert not files.exists("r1")


def test_half_repaired_files_of_dead_workers_are_deleted(files: RecordingFiles) -> None:
    repairs = files.directory / REPAIR
    dead, alive = repairs / "999999999.r1.flac", repairs / f"{os.getpid()}.r2.flac"
    for each in (dead, alive):
        each.write_bytes(b"half")
    files.prepare()
    assert list(repairs.iterdir()) == [alive]


@pytest.mark.parametrize("name", ["../r1", "a/b"])
def test_a_name_does_not_lead_out_of_the_directory(files: RecordingFiles, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a file"):
        files.exists(name)
