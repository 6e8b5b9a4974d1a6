"""Models of tables: each is made for the columns of a frame, and has fit and predict.

All run on one thread, at the defaults of their library. A frame has numeric columns, which may have
missing values, and categorical columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

Maker = Callable[["DataFrame", bool, int], Any]


def categorical(frame: DataFrame) -> list[str]:
    """Return the names of the categorical columns."""
    return [name for name in frame if frame[name].dtype == "category"]


def tabular(frame: DataFrame, classify: bool, seed: int) -> Any:
    from dnncore.tabular import TabularClassifier, TabularRegressor

    return (TabularClassifier if classify else TabularRegressor)(n_threads=1, random_state=seed)


def dnncore(frame: DataFrame, classify: bool, seed: int) -> Any:
    from dnncore import DNNClassifier, DNNRegressor

    network = (DNNClassifier if classify else DNNRegressor)(n_threads=1, random_state=seed)
    return _behind_encoder(frame, network, standardise=False)


def mlp(frame: DataFrame, classify: bool, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    network = (MLPClassifier if classify else MLPRegressor)(random_state=seed)
    return _behind_encoder(frame, network, standardise=True)


def _behind_encoder(frame: DataFrame, network: Any, *, standardise: bool) -> Any:
    """Return a pipeline of the usual steps: median, standardisation, one-hot encoding."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    names = categorical(frame)
    numbers = [name for name in frame if name not in names]
    steps = [SimpleImputer(strategy="median"), *([StandardScaler()] if standardise else [])]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("n", make_pipeline(*steps), numbers), ("c", encoder, names)])
    return make_pipeline(columns, network)


def hist_gradient_boosting(frame: DataFrame, classify: bool, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return (HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor)(
        random_state=seed
    )


def lightgbm(frame: DataFrame, classify: bool, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMClassifier if classify else LGBMRegressor)(n_jobs=1, verbose=-1, random_state=seed)


def xgboost(frame: DataFrame, classify: bool, seed: int) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    return (XGBClassifier if classify else XGBRegressor)(
        n_jobs=1, enable_categorical=True, random_state=seed
    )


class CatBoost:
    """CatBoost takes categories as strings, a missing one among them."""

    def __init__(self, frame: DataFrame, classify: bool, seed: int) -> None:
        from catboost import CatBoostClassifier, CatBoostRegressor

        self.model = (CatBoostClassifier if classify else CatBoostRegressor)(
            thread_count=1,
            verbose=False,
            allow_writing_files=False,
            cat_features=categorical(frame),
            random_seed=seed,
        )

    def fit(self, frame: DataFrame, y: Any) -> CatBoost:
        self.model.fit(self._strings(frame), y)
        return self

    def predict(self, frame: DataFrame) -> Any:
        return self.model.predict(self._strings(frame)).ravel()

    def predict_proba(self, frame: DataFrame) -> Any:
        return self.model.predict_proba(self._strings(frame))

    @staticmethod
    def _strings(frame: DataFrame) -> DataFrame:
        frame = frame.copy()
        for name in categorical(frame):
            frame[name] = frame[name].astype(object).fillna("missing").astype(str)
        return frame


class RealMLP:
    """RealMLP of pytabkit; missing numbers are replaced by medians, which it does not do itself."""

    def __init__(
        self, frame: DataFrame, classify: bool, seed: int, *, small: bool, **settings: Any
    ) -> None:
        import pytabkit

        name = f"RealMLP_TD{'_S' if small else ''}_{'Classifier' if classify else 'Regressor'}"
        settings = settings if classify else {}
        self.model = getattr(pytabkit, name)(
            device="cpu", n_threads=1, random_state=seed, **settings
        )

    def fit(self, frame: DataFrame, y: Any) -> RealMLP:
        self.medians = frame.median(numeric_only=True)
        self.model.fit(self._complete(frame), y)
        return self

    def predict(self, frame: DataFrame) -> Any:
        return self.model.predict(self._complete(frame))

    def predict_proba(self, frame: DataFrame) -> Any:
        return self.model.predict_proba(self._complete(frame))

    def _complete(self, frame: DataFrame) -> DataFrame:
        return frame.fillna(self.medians)


def realmlp_s(frame: DataFrame, classify: bool, seed: int) -> Any:
    return RealMLP(frame, classify, seed, small=True)


def realmlp(frame: DataFrame, classify: bool, seed: int) -> Any:
    return RealMLP(frame, classify, seed, small=False)


def realmlp_unsmoothed(frame: DataFrame, classify: bool, seed: int) -> Any:
    """Without label smoothing, which improves the error and harms log-loss."""
    return RealMLP(
        frame, classify, seed, small=False, use_ls=False, val_metric_name="cross_entropy"
    )


MODELS: dict[str, Maker] = {
    "dnncore tabular": tabular,
    "dnncore": dnncore,
    "MLP, StandardScaler": mlp,
    "HistGradientBoosting": hist_gradient_boosting,
    "LightGBM": lightgbm,
    "XGBoost": xgboost,
    "CatBoost": CatBoost,
    "RealMLP-TD-S": realmlp_s,
    "RealMLP-TD": realmlp,
    "RealMLP-TD, unsmoothed": realmlp_unsmoothed,
}
