"""What show_config tells."""

import json

import pytest
from threadpoolctl import threadpool_info

import dnncore
from dnncore._core import csrc


def test_show_config(capsys):
    config = dnncore.show_config("dicts")
    assert config["versions"]["dnncore"] == dnncore.__version__
    assert config["cpu"]["selected"] == csrc.selected()
    assert config["cpu"]["instruction_sets"] == list(csrc.available())
    loaded = {x["filepath"] for x in threadpool_info() if x["user_api"] == "blas"}
    assert {library["file"] for library in config["blas"]} == loaded
    json.dumps(config)
    assert dnncore.show_config() is None
    printed = capsys.readouterr().out
    assert config["cpu"]["selected"] in printed
    assert dnncore.__version__ in printed
    with pytest.raises(ValueError, match=r"mode must be .*'xml'"):
        dnncore.show_config("xml")
