"""To PyTorch and back, where it is installed."""

import copy
import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import OTHER_LOSSES

from dnncore import DNNClassifier, DNNRegressor, Network, PiecewiseLinear, from_torch, to_torch

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.filterwarnings("ignore:max_iter", "ignore:`torch.jit:DeprecationWarning")

X = np.random.default_rng(0).normal(size=(60, 4))
WITH_GAPS = np.where(np.arange(240).reshape(60, 4) % 7 == 0, np.nan, X)
EMBEDDING = PiecewiseLinear.from_rows(X, 2, n_bins=4, size=2)


def outputs(module, X):
    with torch.no_grad():
        return module(torch.from_numpy(X)).numpy()


def mlp(*modules, dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(*modules).to(dtype)


@given(data=st.data())
@settings(max_examples=60)
def test_networks_there_and_back(data, networks, rows, same):
    network = data.draw(networks)
    X = rows(network)
    module = to_torch(network)
    same(outputs(module, X), network.predict_proba(X))
    same(outputs(to_torch(network.freeze()), X), network.predict_proba(X))
    same(outputs(to_torch(network, logits=True), X), network.decision_function(X))
    back = from_torch(module)
    assert np.array_equal(back.parameters, network.parameters)
    assert back.output == network.output
    assert back.dtype == network.dtype
    assert len(network.layer_sizes) == 2 or back.activation == network.activation
    assert np.array_equal(back.predict_proba(X), network.predict_proba(X))
    logits = from_torch(to_torch(network, logits=True), output=network.output)
    assert np.array_equal(logits.predict_proba(X), network.predict_proba(X))


def test_estimators(same):
    classifier = DNNClassifier((6,), max_iter=5, random_state=0).fit(X, X[:, 0] > 0)
    same(outputs(to_torch(classifier), X), classifier.predict_proba(X))
    y = 1000 + 5 * X[:, :2]
    regressor = DNNRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=0).fit(X, y)
    for logits in (False, True):
        same(outputs(to_torch(regressor, logits=logits), X), regressor.predict(X))
    same(from_torch(to_torch(regressor)).predict_proba(X), regressor.predict(X))


@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
def test_regressors_of_other_losses(options, same):
    model = DNNRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=0, **options)
    y = np.abs(5 + 2 * X[:, 0])
    expected = model.fit(X, y).predict(X).reshape(len(X), -1)
    module = to_torch(model)
    same(outputs(module, X), expected)
    same(from_torch(module).predict_proba(X), expected)


def test_the_module_is_a_copy_that_can_be_trained_and_stored(make_network, rows):
    network = make_network((4, 5, 3), np.float32)
    before = network.parameters.copy()
    module = to_torch(network, logits=True)
    assert [type(m).__name__ for m in module] == ["Norm", "Linear", "Tanh", "Linear"]
    X, y = torch.from_numpy(rows(network)), torch.arange(9) % 3
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    loss = nn.CrossEntropyLoss()
    first = loss(module(X), y)
    first.backward()
    optimizer.step()
    assert loss(module(X), y) < first
    assert np.array_equal(network.parameters, before)
    trained = from_torch(module, output="softmax")
    assert not np.array_equal(trained.parameters, before)
    assert np.array_equal(trained.mean_, network.mean_)
    assert trained.loss(X.numpy(), y.numpy()) == pytest.approx(loss(module(X), y).item(), rel=1e-6)
    other = to_torch(make_network((4, 5, 3), np.float32, seed=9), logits=True)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(X), module(X))
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(X), module(X))
    assert torch.equal(copy.deepcopy(module)(X), module(X))


def test_modules_as_users_write_them(same):
    """Without a bias, nested, with what does nothing to a scored row."""
    module = mlp(
        nn.Flatten(), nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Dropout(0.3),
        nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True)), nn.Linear(5, 2), nn.Identity(),
    ).eval()  # fmt: skip
    network = from_torch(module)
    assert (network.layer_sizes, network.activation) == ((4, 6, 5, 2), "relu")
    assert (network.output, network.mean_) == ("identity", None)
    same(network.predict_proba(X), outputs(module, X))
    softmax = mlp(nn.Linear(4, 3), nn.Identity(), nn.Linear(3, 2), nn.Softmax(dim=1))
    assert (from_torch(softmax).activation, from_torch(softmax).output) == ("identity", "softmax")
    same(from_torch(softmax).predict_proba(X), outputs(softmax, X))
    sigmoid = mlp(nn.Linear(4, 1), nn.Sigmoid())
    same(from_torch(sigmoid).predict_proba(X), outputs(sigmoid, X))


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    ("modules", "error", "match"),
    [
        ([nn.Linear(4, 3), nn.ELU(), nn.Linear(3, 2)], TypeError, r"module 1 \(ELU\)"),
        (
            [nn.Linear(4, 3), nn.GELU(approximate="tanh"), nn.Linear(3, 2)],
            ValueError,
            r"module 1 \(GELU\) must have approximate='none', got 'tanh'",
        ),
        ([nn.Linear(4, 3), nn.Sequential(nn.Tanh(), nn.LayerNorm(3))], TypeError, r"1\.1 \(LayerN"),
        ([Doubled(4, 3)], TypeError, r"module 0 \(Doubled\)"),
        ([nn.Linear(4, 3), nn.LogSoftmax(dim=1)], TypeError, r"module 1 \(LogSoftmax\)"),
        ([nn.Linear(4, 3), nn.Linear(4, 2)], ValueError, r"module 1 \(Linear\) must take 3 feat"),
        ([nn.Linear(4, 3), nn.Linear(3, 2).double()], TypeError, "module 1 .*got float64"),
        ([nn.Linear(4, 3).half()], TypeError, r"module 0 \(Linear\) .* got float16"),
        ([nn.Linear(4, 3).bfloat16()], TypeError, "got bfloat16"),
        ([nn.Tanh(), nn.Linear(4, 3)], ValueError, r"module 0 \(Tanh\) must follow a Linear"),
        ([nn.Linear(4, 3), nn.Tanh(), nn.ReLU(), nn.Linear(3, 2)], ValueError, "module 2 .ReLU"),
        ([nn.Linear(4, 3), nn.Tanh()], ValueError, r"module 1 \(Tanh\) must not be the last"),
        ([nn.Linear(4, 3), nn.Softmax(dim=0)], ValueError, "dim=0"),
        (
            [nn.Linear(4, 3), nn.Softmax(dim=1), nn.Linear(3, 2)],
            ValueError,
            r"1 \(Softmax\) must be",
        ),
        ([], ValueError, "got none"),
        (
            [nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3)],
            ValueError,
            r"'relu' at module 3 \(ReLU\)",
        ),
        (
            [nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 3)],
            ValueError,
            r"'identity' at module 2 \(Linear\)",
        ),
    ],
)
def test_what_a_network_lacks_is_refused_by_name(modules, error, match):
    with pytest.raises(error, match=match):
        from_torch(nn.Sequential(*modules))


def test_other_arguments_are_refused(make_network, monkeypatch):
    module = to_torch(make_network((4, 3)))
    with pytest.raises(TypeError, match="Sequential, got Linear"):
        from_torch(nn.Linear(4, 3))
    with pytest.raises(ValueError, match="output must be one of"):
        from_torch(module, output="log_softmax")
    with pytest.raises(ValueError, match="output must be 'softmax', as in the module"):
        from_torch(module, output="logistic")
    norm, linear = module[0], module[1]
    with pytest.raises(ValueError, match=r"module 1 \(Norm\) must be the first"):
        from_torch(nn.Sequential(linear, norm))
    with pytest.raises(ValueError, match=r"module 1 \(Norm\) must be the first"):
        from_torch(nn.Sequential(norm, norm, linear))
    with torch.no_grad():
        linear.bias[0] = torch.inf
    with pytest.raises(ValueError, match=r"module 1 \(Linear\) must be finite"):
        from_torch(module)
    monkeypatch.setitem(sys.modules, "torch", None)
    for function in (from_torch, to_torch):
        with pytest.raises(ImportError, match="pip install torch"):
            function(make_network((4, 3)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: DNNClassifier(norm=False).fit(X, np.arange(60) % 3),
        lambda: DNNClassifier().fit(X, np.arange(60) % 3),
        lambda: DNNClassifier(missing_values="indicator").fit(WITH_GAPS, np.arange(60) % 3),
        lambda: DNNRegressor().fit(X, X[:, :2]),
        lambda: DNNRegressor("poisson").fit(X, np.abs(X[:, 0])),
        lambda: DNNRegressor("quantile", quantiles=(0.1, 0.9)).fit(X, X[:, 0]),
        lambda: DNNClassifier().fit(X + 5e6, np.arange(60) % 3).freeze(),
        lambda: Network((8, 4, 2), seed=0, embedding=EMBEDDING),
    ],
)
def test_scripted_and_exported(make):
    from dnncore.cli.export import _torch_file

    model = make()
    module, rows = to_torch(model), torch.from_numpy(X)
    assert torch.equal(torch.jit.script(module)(rows), module(rows))
    loaded = torch.export.load(io.BytesIO(_torch_file(model, "torch-export"))).module()
    assert torch.equal(loaded(rows), module(rows))


def test_missing_and_infinite_values_in_modules():
    model = DNNRegressor("poisson", missing_values="indicator").fit(WITH_GAPS, np.abs(X[:, 0]))
    module = to_torch(model)
    np.testing.assert_allclose(
        outputs(module, WITH_GAPS).ravel(), model.predict(WITH_GAPS), rtol=1e-12
    )
