"""Fixtures: an empty folder, and commands that run in it."""

import pytest

from dnncore import cli
from dnncore._data import csv, parquet
from dnncore.cli.tables import _common


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def set_block_sizes(monkeypatch):
    """Read small files as large ones are: in many blocks."""

    def set_sizes(*, csv_bytes, parquet_rows, feature_bytes):
        monkeypatch.setattr(csv, "READ_BYTES", csv_bytes)
        monkeypatch.setattr(parquet, "ROWS", parquet_rows)
        monkeypatch.setattr(_common, "FEATURE_BYTES", feature_bytes)

    return set_sizes


@pytest.fixture
def dnncore_command(capsys):
    """Run a command in this process: exit status, standard output, standard error."""

    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def fails(dnncore_command):
    """Run a command that must fail with one line; return that line."""

    def run(*arguments):
        status, out, err = dnncore_command(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("dnncore: error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert err[:-1].isprintable()
        return err[len("dnncore: error: ") : -1]

    return run
