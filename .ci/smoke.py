"""Train, score and refresh, with NumPy and SciPy alone: for platforms without scikit-learn."""

import numpy as np

from dnncore import Network, kernels, show_config
from dnncore.training import SGD, Trainer

show_config()
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 8))
y = (X[:, 0] * X[:, 1] > 0).astype(int)
for engine in ("builtin", "blas"):
    for n_threads in (1, 2):
        network = Network((8, 32, 2), activation="relu", seed=0)
        network.update_norm(X)
        trainer = Trainer(
            network, SGD(0.1, momentum=0.9), engine=engine, n_threads=n_threads, seed=0
        )
        trainer.fit(X, y, max_iter=100)
        predictor = network.freeze()
        accuracy = np.mean(predictor(X).argmax(axis=1) == y)
        print(engine, n_threads, accuracy)  # noqa: T201
        assert accuracy > 0.97
        forward = network.forward(X)
        assert np.allclose(predictor(X), forward.p, atol=1e-9)
        assert np.allclose(kernels.softmax(forward.z[-1]), forward.p, atol=1e-12)
