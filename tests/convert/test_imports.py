"""What is imported, and when."""

import json

from processes import run_python


def test_other_tools_are_imported_only_by_their_functions():
    out, _ = run_python(
        """
        import json, sys, dnncore
        names = ("dnncore.convert", "onnx", "torch", "sklearn")
        others = lambda: [name for name in names if name in sys.modules]
        before = others()
        assert dnncore.to_onnx is dnncore.convert.to_onnx
        print(json.dumps([before, others()]))
        """
    )
    before, after = json.loads(out)
    assert (before, after) == ([], ["dnncore.convert"])


def test_a_network_travels_without_scikit_learn(tmp_path):
    message, _ = run_python(
        f"""
        import sys
        sys.modules["sklearn"] = None
        import dnncore
        dnncore.to_c(dnncore.Network((2, 2)), {str(tmp_path / "model.c")!r})
        try:
            dnncore.to_c("a model", {str(tmp_path / "model.c")!r})
        except TypeError as error:
            print(error)
        """
    )
    assert message.endswith("or Predictor, got str\n")
    assert (tmp_path / "model.c").exists()
