"""Files that are replaced in one step."""

import os

import pytest

from dnncore._data.atomic import write_atomically, write_in_one_step


def test_the_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "data"
    for content in (b"old", b"new"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["data"]


def test_after_an_error_the_old_file_is_there(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), write_in_one_step(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["data"]


def test_links_stay_and_other_things_are_refused(tmp_path):
    (tmp_path / "data").write_bytes(b"old")
    (tmp_path / "link").symlink_to("data")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "data").read_bytes() == b"new"
    with pytest.raises(OSError, match="is not a regular file"):
        write_atomically(tmp_path, b"new")
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "no" / "where", b"new")
    assert caught.value.filename == str(tmp_path / "no" / "where")
