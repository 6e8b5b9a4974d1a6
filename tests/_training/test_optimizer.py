"""The optimizer: the engine that it keeps."""

from dnncore import Network
from dnncore.training import Trainer


def test_the_engine_is_kept_while_it_fits():
    trainer = Trainer(Network((5, 4, 3), seed=0), engine="builtin")
    engine = trainer._engine(50)
    assert trainer._engine(50) is engine
    trainer.configure(engine="blas")
    assert trainer._engine(50) is not engine
