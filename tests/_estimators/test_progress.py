"""The progress bar."""

import sys

import pytest

from dnncore import DNNClassifier, DNNRegressor
from dnncore.tabular import TabularRegressor

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
