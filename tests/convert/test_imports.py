"""What is imported, and when."""

import json
import subprocess
import sys
import textwrap


def run_python(code):
    # Not from a source tree, which would come before the installed package.
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_other_tools_are_imported_only_by_their_functions():
    before, after = run_python(
        """
        import json, sys, dnncore
        names = ("dnncore.convert", "onnx", "torch", "sklearn")
        others = lambda: [name for name in names if name in sys.modules]
        before = others()
        assert dnncore.to_onnx is dnncore.convert.to_onnx
        print(json.dumps([before, others()]))
        """
    )
    assert (before, after) == ([], ["dnncore.convert"])


def test_a_network_travels_without_scikit_learn(tmp_path):
    message = run_python(
        f"""
        import json, sys
        sys.modules["sklearn"] = None
        import dnncore
        dnncore.to_c(dnncore.Network((2, 2)), {str(tmp_path / "model.c")!r})
        try:
            dnncore.to_c("a model", {str(tmp_path / "model.c")!r})
        except TypeError as error:
            print(json.dumps(str(error)))
        """
    )
    assert message.endswith("or Predictor, got str")
    assert (tmp_path / "model.c").exists()
