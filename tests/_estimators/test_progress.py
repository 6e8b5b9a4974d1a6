"""The progress bar."""

import sys

import pytest

from dnncore import DNNClassifier, DNNRegressor
from dnncore._estimators.progress import progress_bar
from dnncore.tabular import TabularRegressor
from dnncore.training import EpochInfo

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_verbose_shows_a_progress_bar(iris, capsys, make):
    pytest.importorskip("tqdm")
    model = make(max_iter=3, verbose=True).fit(*iris, X_val=iris[0], y_val=iris[1])
    shown = capsys.readouterr()
    assert shown.out == ""
    for words in (make.__name__, "3/3", f"loss={model.loss_:.4g}", "validation loss=", "score="):
        assert words in shown.err
    make(max_iter=3).fit(*iris)
    assert capsys.readouterr().err == ""


def test_the_bar_tells_the_time_that_is_left(monkeypatch, capsys):
    tqdm = pytest.importorskip("tqdm")
    clock = [100.0]
    monkeypatch.setattr(tqdm.std, "time", lambda: clock[0])
    with progress_bar("DNNClassifier", 100) as show:
        for epoch in range(1, 21):
            clock[0] += 3.0
            show(EpochInfo(epoch, 100, 0.5, None, 0.1))
        shown = capsys.readouterr().err
    assert "20/100 [01:00<04:00," in shown  # 80 of 3 seconds


def test_the_loss_of_members_is_shown_once(iris, capsys):
    pytest.importorskip("tqdm")
    TabularRegressor(n_members=2, max_iter=2, verbose=True, random_state=0).fit(*iris)
    shown = capsys.readouterr().err
    assert "validation loss=" in shown
    assert "score" not in shown


def test_verbose_without_tqdm(iris, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="verbose needs tqdm"):
        DNNClassifier(max_iter=3, verbose=True).fit(*iris)
