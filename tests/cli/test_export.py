"""`dnncore export`."""

import numpy as np
import pytest
from commands import IRIS, NETWORK, QUICK, write_csv, write_iris

import dnncore
from dnncore import Network


def test_onnx(dnncore_command):
    onnxruntime = pytest.importorskip("onnxruntime")
    write_iris()
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK, *NETWORK)
    assert dnncore_command("export", "model.safetensors", "model.onnx") == (
        0, "Model written to model.onnx\n", "",
    )  # fmt: skip
    session = onnxruntime.InferenceSession("model.onnx")
    X = IRIS.data.astype(np.float32)
    _, p = session.run(None, {session.get_inputs()[0].name: X})
    expected = dnncore.load("model.safetensors").network_.predict_proba(X)
    np.testing.assert_allclose(p, expected, atol=1e-6)


def test_c_and_the_inputs_of_categories(dnncore_command, tmp_path):
    write_csv("data.csv", ["size", "colour", "y"], [[i, "rb"[i % 2], i % 3] for i in range(60)])
    dnncore_command("train", "data.csv", "--target", "y", *QUICK, *NETWORK)
    status, out, err = dnncore_command("export", "model.safetensors", "code", "--format", "c")
    assert (status, out) == (0, "Model written to code\n")
    assert err == (
        "The model has 3 inputs, with one-hot encoded categories: size, colour=b, colour=r\n"
    )
    assert "predict_proba" in (tmp_path / "code").read_text()


@pytest.mark.parametrize("ending", ["pt", "pt2"])
def test_torch(dnncore_command, ending):
    torch = pytest.importorskip("torch")
    Network((4, 3), dtype="float32", seed=0).save("network")
    assert dnncore_command("export", "network", f"model.{ending}")[0] == 0
    if ending == "pt":
        module = torch.load("model.pt", weights_only=False)
    else:
        module = torch.export.load("model.pt2").module()
    X = IRIS.data.astype(np.float32)
    p = module(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(p, dnncore.load("network").predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["model.txt"],
            "FILE must end in one of .onnx, .c, .pt, .pt2 unless --format is given",
        ),
        (["no/model.c"], "FILE: there is no directory 'no'"),
        (["network", "--format", "c"], "FILE: 'network' is also an input"),
        (["model.c", "--format", "rust"], "argument --format: invalid choice: 'rust'"),
    ],
)
def test_mistakes(fails, arguments, message):
    Network((4, 3)).save("network")
    assert message in fails("export", "network", *arguments)
