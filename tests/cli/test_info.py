"""`dnncore info`, and the help."""

import re
import subprocess
import sys

import numpy as np
from commands import IRIS, QUICK, write_iris

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network


def test_info(dnncore_command):
    status, out, err = dnncore_command("info")
    assert (status, err) == (0, "")
    assert dnncore.__version__ in out
    assert out.strip() == show_config_text(dnncore_command).strip()


def show_config_text(dnncore_command):
    dnncore.show_config()
    return dnncore_command("--version")[1].rpartition("dnncore ")[0]


def test_info_about_a_model(dnncore_command):
    write_iris()
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK, "--hidden", 7)
    status, out, err = dnncore_command("info", "model.safetensors")
    assert (status, err) == (0, "")
    for line in (
        r"file +model\.safetensors \(\d\.\d kB\)",
        r"kind +DNNClassifier",
        r"layer sizes +4-7-3 \(59 weights and biases\)",
        r"activation +relu",
        r"output +softmax",
        r"dtype +float32",
        r"norm +yes",
        r"classes +3: setosa, versicolor, virginica \(object\)",
        r"features +4: sepal length, sepal width, petal length, petal width",
        r"trained +3 epochs, 324 rows in total",
        r"loss +\d\.\d{4} in the last epoch",
        r"validation +best score \d\.\d{4}",
        r"parameters",
        r"  hidden_layer_sizes +\(7,\)",
        r"  solver +'adam'",
    ):
        assert re.search(rf"^{line}$", out, re.M), line
    assert "callback" not in out


def test_info_about_a_regressor(dnncore_command):
    model = DNNRegressor("huber", (7,), activation="relu", random_state=0)
    model.partial_fit(IRIS.data, IRIS.data[:, :2]).save("model")
    status, out, err = dnncore_command("info", "model")
    assert (status, err) == (0, "")
    for line in (
        r"kind +DNNRegressor",
        r"layer sizes +4-7-2 \(51 weights and biases\)",
        r"activation +relu",
        r"output +identity",
        r"features +4: no names",
        r"trained +1 epoch, 150 rows in total",
        r"loss +\d\.\d{4} in the last epoch",
        r"  loss +'huber'",
    ):
        assert re.search(rf"^{line}$", out, re.M), line
    assert not re.search("^(classes|validation)", out, re.M)


def test_info_about_several_labels(dnncore_command):
    DNNClassifier((7,)).partial_fit(IRIS.data, (IRIS.data > 3).astype(int)).save("model")
    _, out, _ = dnncore_command("info", "model")
    assert re.search(r"^output +logistic$", out, re.M)
    assert re.search(r"^classes +4: 0, 1, 2, 3 \(int64\)$", out, re.M)


def test_info_about_a_network(dnncore_command):
    Network((4, 3)).save("network")
    status, out, _ = dnncore_command("info", "network")
    assert status == 0
    assert re.sub(" {2,}", ": ", out).splitlines()[1:] == [
        "kind: Network",
        "layer sizes: 4-3 (15 weights and biases)",
        "activation: logistic",
        "output: softmax",
        "dtype: float64",
        "norm: no",
    ]


def test_help(dnncore_command):
    status, out, err = dnncore_command("--help")
    assert (status, err) == (0, "")
    assert all(
        command in out
        for command in (
            "train",
            "predict",
            "evaluate",
            "export",
            "bench",
            "info",
            "explain",
            "--version",
        )
    )
    csv_format = " --delimiter --decimal --thousands --encoding"
    options = {
        "train": "DATA --target --regression --model --members --categorical --ignore "
        "--missing --output --solver-state --no-solver-state --checkpoint --cluster "
        "--plot --no-plot --report --test-size --validation-fraction --seed --memory "
        "--blocks --hidden "
        "--activation --dropout --loss "
        "--quantiles "
        "--dtype --resume --epochs --max-time --batch-size --learning-rate --schedule "
        "--solver --weight-decay --alpha --max-grad-norm --class-weight --early-stopping "
        "--no-early-stopping --threads --quiet --help" + csv_format,
        "evaluate": "MODEL DATA --target --report --json --help" + csv_format,
        "export": "MODEL FILE --format --help",
        "bench": "MODEL --layers --batch-size --seconds --json --help",
        "predict": "MODEL DATA --keep --output --proba --help" + csv_format,
        "info": "MODEL --all --help",
        "explain": "--sizes --rows --activation --learning-rate --seed --html --help",
    }
    for command, names in options.items():
        status, out, err = dnncore_command(command, "--help")
        assert (status, err) == (0, "")
        assert out.startswith(f"usage: dnncore {command} ")
        for name in names.split():
            assert re.search(rf"^ .*{name}\b", out, re.M), name
        # Nothing is listed that this test does not know.
        listed = set(re.findall(r"^  (?:-h, )?(--[a-z][a-z-]*)", out, re.M))
        assert listed <= set(names.split())


def test_version_needs_no_optional_package():
    code = """
import sys
from dnncore.cli import main
try:
    main(["--version"])
except SystemExit:
    pass
print([x for x in ("sklearn", "rich", "pyarrow", "matplotlib", "safetensors") if x in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"dnncore {dnncore.__version__}\n[]\n"


def test_all_names_and_classes(dnncore_command):
    model = DNNClassifier((3,)).partial_fit(np.eye(30), np.arange(30), classes=np.arange(30))
    model.feature_names_in_ = np.array([f"name{i}" for i in range(30)], dtype=object)
    model.save("model")
    for options, shown in ((["--all"], True), ([], False)):
        status, out, _ = dnncore_command("info", "model", *options)
        assert status == 0
        assert ("name29" in out) == (" 29 (int64)" in out) == shown
        assert ("..." in out) != shown
