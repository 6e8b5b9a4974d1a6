"""Files that are replaced in one step."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import run_python

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
    monkeypatch.setattr(atomic, "DESCRIPTORS", "/nowhere")
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


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_folder_that_vanishes(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        monkeypatch.setattr(atomic, "DESCRIPTORS", "/nowhere")
    path = tmp_path / "folder" / "data"
    path.parent.mkdir()
    with pytest.raises(FileNotFoundError) as caught, write_in_one_step(path) as file:
        file.write(b"new")
        shutil.rmtree(path.parent)
    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("function", ["link", "replace"])
def test_a_folder_that_becomes_read_only(tmp_path, monkeypatch, function):
    path = tmp_path / "data"
    path.write_bytes(b"old")

    def refuse(source, target, **options):
        raise PermissionError(13, "Permission denied", str(source), None, str(target))

    monkeypatch.setattr(os, function, refuse)
    if function == "link" and not os.path.isdir(atomic.DESCRIPTORS):
        pytest.skip("files without a name")
    with pytest.raises(PermissionError) as caught:
        write_atomically(path, b"new")
    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["data"]


def test_errors_of_the_block_are_left_alone(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, write_in_one_step(tmp_path / "data"):
        (tmp_path / "other").read_bytes()
    assert caught.value.filename == str(tmp_path / "other")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_full_disk(tmp_path):
    """A limit of the size of files, which every write may exceed."""
    code = """
        import resource, sys
        from dnncore._data.atomic import write_atomically
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        for size in (1001, 100_000):
            try:
                write_atomically(sys.argv[1], bytes(size))
            except OSError as error:
                print(error)
        """
    path = tmp_path / "data"
    path.write_bytes(b"old")
    path.chmod(0o640)
    out, err = run_python(code.replace("sys.argv[1]", repr(str(path))))
    assert (out, err) == (2 * f"[Errno 27] File too large: {str(path)!r}\n", "")
    assert path.read_bytes() == b"old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("unnamed", [True, False])
def test_several_writers_of_one_file(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        monkeypatch.setattr(atomic, "DESCRIPTORS", "/nowhere")
    path = tmp_path / "data"
    path.write_bytes(b"")
    path.chmod(0o640)
    contents = [bytes([number]) * 50_000 for number in range(4)]

    def write(content):
        for _ in range(25):
            write_atomically(path, content)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(len(contents)) as pool:
        list(pool.map(write, contents))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["data"]
