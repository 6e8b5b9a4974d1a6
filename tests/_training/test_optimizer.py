"""The optimizer: the engine that it keeps."""

import numpy as np
from scipy.sparse import csr_array

from dnncore import Network
from dnncore.training import Trainer


def test_the_engine_is_kept_while_it_fits():
    trainer = Trainer(Network((5, 4, 3), seed=0), engine="builtin")
    X = np.zeros((50, 5))
    engine = trainer._engine(X, 50)
    assert trainer._engine(X, 50) is engine
    assert trainer._engine(csr_array(X), 50) is not engine
    trainer.configure(engine="blas")
    engine = trainer._engine(X, 50)
    assert trainer._engine(csr_array(X), 50) is engine  # whose rows are made dense
