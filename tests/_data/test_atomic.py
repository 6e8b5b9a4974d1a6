"""Files that are replaced in one step."""

import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from dnncore._data import atomic
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


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660, 0o444])
def test_permissions_are_kept(tmp_path, mode):
    path = tmp_path / "data"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_without_unnamed_files(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "DESCRIPTORS", "nowhere")
    path = tmp_path / "data"
    with write_in_one_step(path) as file:
        assert len(os.listdir(tmp_path)) == 1
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.skipif(sys.platform != "linux", reason="files without a name")
def test_nothing_is_left_of_a_killed_process(tmp_path):
    code = """
        import os, signal, sys
        from dnncore._data.atomic import write_in_one_step
        with write_in_one_step(sys.argv[1]) as file:
            file.write(bytes(100_000))
            os.kill(os.getpid(), signal.SIGKILL)
        """
    path = tmp_path / "data"
    code = textwrap.dedent(code)
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == []
