"""Schedules: what they decide is what the loop carries out."""

import itertools
import math

import numpy as np
import pytest
from perceptrons import alike, assert_same_weights, each_pair
from samples import learnable_classes
from sklearn.datasets import load_wine

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore._training.schedules import SCHEDULES, Decision, Schedule, schedules_of
from dnncore.training import LBFGS, SGD, Adam, AdamW, DivergenceWarning, Trainer, Validation

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = (X[:, 0] > 0).astype(int)


def trainer(solver):
    return Trainer(Network((4, 6, 2), seed=0), solver, seed=0, batch_size=40)


class ByEpoch(Schedule):
    def begin(self, now):
        cosine = math.cos(math.pi * now.epoch / now.max_iter)
        return Decision(0.5 * self.solver.learning_rate_init * (1.0 + cosine))

    after_epoch = begin


@pytest.mark.parametrize("solver", [SGD, Adam])
def test_a_new_schedule_is_a_small_class(monkeypatch, solver):
    monkeypatch.setitem(SCHEDULES, "by epoch", ByEpoch)
    cosine, told = trainer(solver(0.1, schedule="by epoch")), []
    cosine.fit(X, Y, max_iter=8, callback=told.append)
    rates = 0.05 * (1.0 + np.cos(np.pi * np.arange(9) / 8))
    np.testing.assert_allclose([info.learning_rate for info in told], rates[1:], atol=1e-17)
    by_hand = trainer(solver(0.1))
    for rate in rates[:-1]:
        by_hand.learning_rate = rate
        by_hand.run_epoch(X, Y)
    np.testing.assert_allclose(
        cosine.network.parameters, by_hand.network.parameters, rtol=1e-12, atol=1e-14
    )


def scripted(monkeypatch, **hooks):
    """A trainer of a schedule with these hooks, which are functions of the progress."""
    methods = {name: (lambda self, now, hook=hook: hook(now)) for name, hook in hooks.items()}
    monkeypatch.setitem(SCHEDULES, "scripted", type("Scripted", (Schedule,), methods))
    return trainer(SGD(0.1, schedule="scripted"))


def test_progress(monkeypatch):
    told = []

    def note(now):
        told.append(now)
        return Decision(now.learning_rate)

    own = scripted(monkeypatch, begin=note, after_epoch=note)
    own.fit(X, Y, max_iter=2, tol=0.125)
    own.fit(X, Y, max_iter=1)
    assert [now.epoch for now in told] == [0, 1, 2, 0, 1]
    assert [now.max_iter for now in told] == [2, 2, 2, 1, 1]
    assert [now.steps for now in told] == [0, 3, 3, 0, 3]
    assert [now.t for now in told] == [0, 120, 240, 240, 360]
    assert told[0].tol == 0.125 and not told[0].early_stopping
    losses = [now.epoch_loss for now in told]
    assert [losses[i] for i in (1, 2, 4)] == own.history.loss_curve
    assert math.isnan(losses[0]) and math.isnan(losses[3])
    assert told[-1].loss() == pytest.approx(own.network.loss(X, Y, alpha=own.alpha), rel=1e-12)


def test_keep_go_back_and_end(monkeypatch):
    seen = []

    def decide(now):
        seen.append(own.network.parameters.copy())
        return {
            1: Decision(0.5, keep=True),
            2: Decision(0.25),
            3: Decision(0.125, go_back=True, end=True),
        }[now.epoch]

    own = scripted(monkeypatch, after_epoch=decide)
    assert own.fit(X, Y, max_iter=9) == "converged"
    assert own.history.n_iter == 3 and own.learning_rate == 0.125
    np.testing.assert_array_equal(own.network.parameters, seen[0])
    assert (seen[0] != seen[2]).any()


def test_going_back_needs_something_kept(monkeypatch):
    own = scripted(monkeypatch, after_epoch=lambda now: Decision(0.1, go_back=True))
    with pytest.raises(RuntimeError, match="Scripted goes back, but has kept nothing"):
        own.fit(X, Y)


def test_a_new_rate_on_a_plateau_starts_counting_anew(monkeypatch):
    plateaus = []

    def decide(now):
        plateaus.append(now.epoch)
        return Decision(now.learning_rate / 2, end=len(plateaus) == 2)

    own = scripted(monkeypatch, on_plateau=decide)
    assert own.fit(X, Y, tol=100.0, n_iter_no_change=3, max_iter=99) == "converged"
    # The first epoch improves on infinity; then more than 3 do not, and then another 4.
    assert plateaus == [5, 9]


def test_after_divergence_the_epoch_is_undone(monkeypatch):
    before = []

    def decide(now):
        before.append(now.learning_rate)
        return Decision(0.1)

    own = scripted(monkeypatch, begin=lambda now: Decision(1e300), on_divergence=decide)
    assert own.fit(X * 1e3, Y, max_iter=3) == "max_iter"
    assert before == [1e300] and own.history.n_iter == 2
    other = scripted(monkeypatch, begin=lambda now: Decision(1e300))
    start = other.network.parameters.copy()
    with pytest.warns(DivergenceWarning, match=r"below 1e\+300") as caught:
        assert other.fit(X * 1e3, Y, max_iter=3) == "diverged"
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(other.network.parameters, start)


def test_which_schedules_go_with_which_solver():
    both = ("newbob", "cosine", "coslog4")
    assert schedules_of("SGD") == ("constant", "invscaling", "adaptive", *both)
    assert schedules_of("Adam") == ("constant", *both)
    assert LBFGS.schedule in SCHEDULES
    with pytest.raises(ValueError, match=r"one of \('constant', 'newbob', .*\), got 'adaptive'"):
        Adam(schedule="adaptive")


# ------------------------------------------------------------ the schedules that there are


def rates_of(model, *arguments, **options):
    """The learning rate of each epoch of a fit, the next one's after the last included."""
    rates = [model.learning_rate_init]
    model.set_params(callback=lambda info: rates.append(info.learning_rate)).fit(
        *arguments, **options
    )
    return rates


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_newbob_halves_goes_back_and_stops(solver):
    X, y = learnable_classes(300)
    train, val = slice(0, 150), slice(150, 300)
    model = DNNClassifier(
        (8,), solver=solver, learning_rate="newbob", learning_rate_init=0.5, batch_size=16,
        tol=0.0, alpha=0.0, random_state=0, max_iter=500,
    )  # fmt: skip
    rates = rates_of(model, X[train], y[train], X_val=X[val], y_val=y[val])
    losses = model.validation_losses_
    assert model.n_iter_ == len(losses) < 500
    lowest = np.inf
    for before, after, loss in zip(rates[:-1], rates[1:], losses, strict=True):
        assert after == (before if loss < lowest else before / 2)
        lowest = min(lowest, loss)
    assert min(losses[-2:]) >= min(losses[:-2])  # the two epochs that ended it
    assert losses[-3] == min(losses)
    best = model.network_.loss(X[val], y[val])
    assert best == pytest.approx(min(losses), rel=1e-12)


def test_newbob_without_validation_rows_goes_by_the_training_loss():
    X, y = learnable_classes()
    model = DNNRegressor(
        hidden_layer_sizes=(), solver="sgd", learning_rate="newbob", learning_rate_init=0.1,
        tol=1e-3, random_state=0,
    )  # fmt: skip
    rates = rates_of(model, X, y)
    assert model.n_iter_ < 200
    assert rates[-1] < 0.1
    assert model.validation_losses_ is None


@pytest.mark.parametrize("with_validation_rows", [False, True])
@pytest.mark.parametrize(
    ("make", "activation"),
    [(DNNClassifier, "logistic"), (DNNClassifier, "relu"), (DNNRegressor, "logistic")],
)
def test_newbob_recovers_from_divergence(make, activation, with_validation_rows):
    X, y = learnable_classes(300)
    options = {"hidden_layer_sizes": (8,), "activation": activation, "solver": "sgd"}
    options |= {"learning_rate": "newbob", "batch_size": 16, "random_state": 0}
    held_out = {"X_val": X[200:], "y_val": y[200:]} if with_validation_rows else {}
    model = make(learning_rate_init=1e3, **options).fit(X[:200], y[:200], **held_out)
    assert np.isfinite(model.network_.parameters).all()
    sane = make(learning_rate_init=0.01, **options).fit(X[:200], y[:200], **held_out)
    chance = {DNNClassifier: np.bincount(y).max() / len(y), DNNRegressor: 0.0}[make]
    assert sane.score(X, y) > chance + 0.3
    assert model.score(X, y) > chance + 0.2


def test_newbob_judges_ten_steps_at_least():
    """Of epochs of one to four steps; the first looks would all find a plateau."""
    X, y = load_wine(return_X_y=True)
    for batch_size, epochs in ((200, 10), (60, 4), (50, 3)):
        model = DNNClassifier(
            (20, 20), "logistic", solver="sgd", learning_rate="newbob", learning_rate_init=0.1,
            batch_size=batch_size, random_state=0,
        )  # fmt: skip
        rates = rates_of(model, X, y)
        changes = np.flatnonzero(np.diff(rates)) + 1  # epochs
        assert (changes % epochs == 0).all()
        assert model.score(X, y) > 0.95


@each_pair
@pytest.mark.parametrize("power_t", [0.5, 0.2])
def test_invscaling_goes_by_the_samples(mine, their, power_t):
    X, y = learnable_classes()
    rates = []
    options = {"solver": "sgd", "learning_rate": "invscaling", "power_t": power_t, "max_iter": 5}
    ours = alike(mine, callback=lambda info: rates.append(info.learning_rate), **options).fit(X, y)
    assert_same_weights(ours, alike(their, **options).fit(X, y))
    expected = [0.05 / (103 * epoch + 1) ** power_t for epoch in range(1, 6)]
    assert rates == pytest.approx(expected, rel=1e-14)


@each_pair
def test_adaptive_divides_by_five_and_ends(mine, their):
    X, y = learnable_classes()
    rates = []
    options = {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e-2, "n_iter_no_change": 2}
    ours = alike(mine, callback=lambda info: rates.append(info.learning_rate), **options).fit(X, y)
    theirs = alike(their, **options).fit(X, y)
    assert_same_weights(ours, theirs)
    assert ours.n_iter_ == theirs.n_iter_ < 200
    assert np.unique(rates)[::-1] == pytest.approx(0.05 / 5.0 ** np.arange(len(set(rates))))
    assert min(rates) <= 1e-6


# ------------------------------------------------------------------ a rate for every step

CURVES = {
    "cosine": lambda t: 0.5 * (1.0 + np.cos(np.pi * t)),
    "coslog4": lambda t: 0.5 * (1.0 - np.cos(2.0 * np.pi * np.log2(1.0 + 15.0 * t))),
}
each_curve = pytest.mark.parametrize("curve", CURVES)


@each_curve
def test_curves_begin_and_end_as_documented(curve):
    factor = SCHEDULES[curve].factor
    t = np.linspace(0.0, 1.0, 1001)
    np.testing.assert_allclose(factor(t), CURVES[curve](t), rtol=0, atol=1e-15)
    assert factor(np.array([1.0]))[0] == pytest.approx(0.0, abs=1e-15)
    peaks = (2.0 ** (np.arange(4) + 0.5) - 1.0) / 15.0 if curve == "coslog4" else np.zeros(1)
    np.testing.assert_allclose(factor(peaks), 1.0, atol=1e-14)


@each_curve
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize(
    "solver",
    [
        lambda **more: SGD(0.1, momentum=0.0, **more),
        lambda **more: SGD(0.1, nesterov=False, **more),
        lambda **more: SGD(0.1, **more),
        lambda **more: Adam(0.1, **more),
        lambda **more: AdamW(0.1, weight_decay=0.5, **more),
    ],
)
def test_the_rate_of_every_step(curve, dropout, solver):
    """Bit for bit those of a trainer whose rate is set before every mini-batch."""
    options = {"batch_size": 50, "shuffle": False, "engine": "builtin", "dropout": dropout}
    curved, by_hand = (
        Trainer(Network((4, 6, 2), seed=0), each, seed=0, **options)
        for each in (solver(schedule=curve), solver())
    )
    told = []
    assert curved.fit(X, Y, max_iter=4, callback=told.append) == "converged"
    steps = (np.arange(3) + 0.5) / 3  # of 120 rows; the last mini-batch is short
    rates = np.concatenate([0.1 * CURVES[curve]((epoch + steps) / 4) for epoch in range(4)])
    for step, rate in enumerate(rates):
        rows = slice(50 * (step % 3), min(50 * (step % 3) + 50, 120))
        by_hand.learning_rate = rate
        by_hand.run_epoch(X[rows], Y[rows])
    np.testing.assert_array_equal(curved.network.parameters, by_hand.network.parameters)
    assert [info.learning_rate for info in told] == rates[2::3].tolist()


@each_curve
def test_a_curve_starts_anew_with_every_fit(curve):
    """Also after Ctrl-C, and where the rate of a single epoch is wanted."""
    one, other = (trainer(SGD(0.1, momentum=0.0, schedule=curve)) for _ in range(2))

    def interrupt(info):
        if info.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one.fit(X, Y, max_iter=5, callback=interrupt)
    other.fit(X, Y, max_iter=5, callback=lambda info: info.epoch == 2)
    assert one.learning_rate == other.learning_rate == 0.1
    rates = []
    for each in (one, other):
        each.fit(X, Y, max_iter=3, callback=lambda info: rates.append(info.learning_rate))
    np.testing.assert_array_equal(one.network.parameters, other.network.parameters)
    assert rates[:3] == rates[3:] and rates[2] < 0.1 * CURVES[curve](0.8)


@each_curve
def test_a_curve_is_followed_to_its_end_unless_stopped_early(curve):
    options = {"max_iter": 20, "tol": 1e6, "n_iter_no_change": 2}
    curved = trainer(Adam(0.01, schedule=curve))
    assert curved.fit(X, Y, **options) == "converged"
    assert curved.history.n_iter == 20
    stopped = trainer(Adam(0.01, schedule=curve))
    end = stopped.fit(X, Y, validate=lambda: Validation(0.5), early_stopping=True, **options)
    assert (end, stopped.history.n_iter) == ("converged", 4)


@each_curve
@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_curves_of_estimators(curve):
    X, y = learnable_classes(300)
    options = {"learning_rate": curve, "learning_rate_init": 0.03, "max_iter": 30}
    options |= {"hidden_layer_sizes": (8,), "batch_size": 32, "random_state": 0}
    for make, solver in itertools.product((DNNClassifier, DNNRegressor), ("adam", "adamw", "sgd")):
        model = make(solver=solver, **options).fit(X, y)
        assert model.n_iter_ == 30
        assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]
        assert model.partial_fit(X, y).n_iter_ == 31


@each_curve
def test_curves_over_blocks(curve):
    """The first epoch of blocks that were never read has one rate, the others one per step."""
    blocks = [(X[:70], Y[:70]), (X[70:], Y[70:])]
    options = {"batch_size": 50, "shuffle": False, "engine": "builtin", "seed": 0}
    solver = SGD(0.1, momentum=0.0, schedule=curve)
    ours, whole = (Trainer(Network((4, 6, 2), seed=0), solver, **options) for _ in range(2))
    ours.fit_blocks(blocks, max_iter=3)
    factor = SCHEDULES[curve].factor
    steps = factor((np.arange(9) + 0.5) / 9)
    steps[:3] = factor(np.array([1.5 / 9]))
    for step, each in enumerate(0.1 * steps):
        rows = slice(50 * (step % 3), min(50 * (step % 3) + 50, 120))
        whole.learning_rate = each
        whole.run_epoch(X[rows], Y[rows])
    np.testing.assert_allclose(
        ours.network.parameters, whole.network.parameters, rtol=1e-11, atol=1e-13
    )
    # An estimator has read them before.
    model = DNNClassifier(
        (6,), learning_rate=curve, max_iter=3, batch_size=50, shuffle=False, engine="builtin",
        norm=False, random_state=0,
    )  # fmt: skip
    parameters = model.fit(X, Y).network_.parameters.copy()
    np.testing.assert_array_equal(model.fit_blocks(blocks).network_.parameters, parameters)
