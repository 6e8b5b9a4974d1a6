"""scikit-learn's own checks of estimators, at many parameters."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from dnncore import DNNClassifier, DNNRegressor

# One of the checks wants a sample weight to equal a repetition of the row, which holds for full
# batches and a rate that does not depend on the number of rows.
ESTIMATORS = [
    DNNClassifier(),
    DNNClassifier(
        (5, 4), "logistic", solver="sgd", learning_rate="adaptive", learning_rate_init=0.5
    ),
    DNNClassifier((), solver="sgd", nesterovs_momentum=False, learning_rate_init=0.5),
    DNNClassifier(7, solver="sgd", momentum=0, learning_rate_init=1.0, norm=False, n_threads=2),
    DNNClassifier(activation="tanh"),
    DNNClassifier(activation="relu", engine="blas"),
    DNNClassifier((), "identity"),
    DNNClassifier((4,), "identity", solver="sgd", learning_rate_init=0.2),
    DNNClassifier((5,), solver="lbfgs", alpha=0.1, max_iter=50),
    DNNClassifier((5,), "tanh", solver="lbfgs", alpha=0.1, max_iter=50, norm=False),
    DNNClassifier((), learning_rate="newbob", learning_rate_init=0.05),
    DNNClassifier((6,), "relu", solver="sgd", learning_rate="newbob", learning_rate_init=0.3),
    DNNClassifier(label_smoothing=0.1),
    DNNClassifier((20, 10), dropout=0.2),
    DNNClassifier((5,), missing_values="mean", learning_rate_init=0.05),
    DNNRegressor(),
    DNNRegressor("huber"),
    DNNRegressor("absolute_error"),
    DNNRegressor("poisson"),
    DNNRegressor("quantile", quantiles=(0.5,)),
    DNNRegressor(
        hidden_layer_sizes=(5, 4), solver="sgd", learning_rate="adaptive", learning_rate_init=0.1
    ),
    DNNRegressor(
        hidden_layer_sizes=(), solver="sgd", nesterovs_momentum=False, learning_rate_init=0.1
    ),
    DNNRegressor(
        hidden_layer_sizes=7, solver="sgd", momentum=0, learning_rate_init=0.2, norm=False,
        n_threads=2,
    ),
    DNNRegressor(activation="tanh", norm_target=False),
    DNNRegressor(activation="relu", learning_rate="newbob"),
    DNNRegressor(activation="identity", engine="blas"),
    DNNRegressor(hidden_layer_sizes=(4,), activation="tanh", solver="lbfgs", max_iter=50),
    DNNRegressor("huber", (), solver="lbfgs", max_iter=50, norm_target=False),
    DNNRegressor(
        hidden_layer_sizes=(5,), missing_values="indicator", solver="sgd", learning_rate_init=0.05
    ),
]  # fmt: skip
# What is left out depends on the place of a row in the batch.
WITH_CHANCE = {
    f"check_sample_weight_equivalence_on_{kind}_data": "dropout goes by position"
    for kind in ("dense", "sparse")
}
WITH_COUNTS = {"check_regressor_multioutput": "its targets are negative"}


def expected_to_fail(model):
    found = WITH_CHANCE if model.dropout else {}
    return found | WITH_COUNTS if getattr(model, "loss", None) == "poisson" else found


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_to_fail)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
