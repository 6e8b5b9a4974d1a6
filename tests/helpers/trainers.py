"""Networks after a few epochs of a trainer."""

import numpy as np

from dnncore import Network
from dnncore.training import SGD, Trainer

SIZES = (13, 17, 9, 5)


def trained(
    X,
    y,
    weight=None,
    *,
    epochs=3,
    solver=None,
    dtype=np.float64,
    sizes=SIZES,
    activation="logistic",
    **kwargs,
):
    network = Network(sizes, dtype=dtype, seed=3, activation=activation)
    trainer = Trainer(network, solver or SGD(0.1), **({"batch_size": 32} | kwargs))
    for _ in range(epochs):
        trainer.run_epoch(X, y, weight)
    return network
