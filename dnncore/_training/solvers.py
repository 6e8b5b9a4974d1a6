"""Solvers: SGD, Adam, AdamW, and L-BFGS on all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .._core import checks as check
from .._core.public import set_module
from .schedules import schedules_of

# Number of vectors that each update keeps: the velocity, or Adam's two moments. L-BFGS begins
# without any, and keeps the last steps and the changes of the gradient, in pairs.
N_STATES = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2, "lbfgs": 0}
MAX_PAIRS = 10
MAX_STATES = 2 * MAX_PAIRS


@set_module("dnncore.training")
@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent: ``v = momentum v - rate g; w += v``.

    Parameters
    ----------
    learning_rate_init : float, default=0.001
        Initial learning rate.
    momentum : float in [0, 1], default=0.9
        Momentum.
    nesterov : bool, default=True
        Whether the step is ``momentum v - rate g`` with the new v instead.
    schedule : {'constant', 'invscaling', 'adaptive', 'newbob', 'cosine', 'coslog4'}, \
default='constant'
        Learning-rate schedule of a fit; ``Trainer.run_epoch`` does not follow it.

        - 'constant': the rate is learning_rate_init.
        - 'invscaling': the rate is learning_rate_init / (t + 1)^power_t after t samples, set at
          the end of each epoch.
        - 'adaptive': the rate is divided by 5 whenever training would otherwise stop for lack of
          improvement, until it is at most 1e-6.
        - 'newbob': monitors the validation loss after each epoch, or the loss of the training rows
          without a validation set. If it is not lower than the lowest loss by `tol`, training
          returns to the parameters of the lowest loss with half the rate; the second time in a
          row, it stops. Epochs of fewer than 10 steps are combined until they have at least 10. If
          the loss is not finite, or is higher than before training, the rate is halved without
          counting towards the stop, at most 20 times in a row.
        - 'cosine': half a cosine, from learning_rate_init to 0 over `max_iter` epochs:
          learning_rate_init (1 + cos(pi t)) / 2, where t is the fraction of the fit at the middle
          of each step. Every fit starts anew. Training ends at `max_iter` epochs, or before by
          early stopping.
        - 'coslog4': learning_rate_init (1 - cos(2 pi log2(1 + 15 t))) / 2, four cycles from 0 to
          learning_rate_init to 0, each about twice as long as the one before (Holzmueller,
          Grinsztajn and Steinwart 2024). Otherwise as 'cosine'.
    power_t : float, default=0.5
        Exponent of 'invscaling'.
    """

    learning_rate_init: float = 0.001
    momentum: float = 0.9
    nesterov: bool = True
    schedule: str = "constant"
    power_t: float = 0.5

    def __post_init__(self) -> None:
        check.number("learning_rate_init", self.learning_rate_init, low=0.0, low_open=True)
        check.number("momentum", self.momentum, low=0.0, high=1.0)
        check.choice("learning_rate", self.schedule, schedules_of("SGD"))
        check.number("power_t", self.power_t, low=0.0)

    @property
    def update(self) -> str:
        """Name of the update in the engine."""
        if self.momentum == 0.0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def constants(self) -> dict[str, float]:
        """Arguments of the engine."""
        return {"momentum": float(self.momentum)}


@set_module("dnncore.training")
@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2014) with both bias corrections in the learning rate.

    ``m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2``;
    ``w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)``

    Parameters
    ----------
    learning_rate_init : float, default=0.001
        Initial learning rate.
    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay rates of the first and second moments.
    epsilon : float, default=1e-8
        Constant added to the square root of the second moment.
    schedule : {'constant', 'newbob', 'cosine', 'coslog4'}, default='constant'
        Learning-rate schedule, as in :class:`SGD`.
    """

    learning_rate_init: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    schedule: str = "constant"

    update: ClassVar[str] = "adam"

    def __post_init__(self) -> None:
        check.number("learning_rate_init", self.learning_rate_init, low=0.0, low_open=True)
        check.number("beta_1", self.beta_1, low=0.0, high=1.0, high_open=True)
        check.number("beta_2", self.beta_2, low=0.0, high=1.0, high_open=True)
        check.number("epsilon", self.epsilon, low=0.0, low_open=True)
        check.choice("learning_rate", self.schedule, schedules_of("Adam"))

    @property
    def constants(self) -> dict[str, float]:
        """Arguments of the engine."""
        return {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}


@set_module("dnncore.training")
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), as in PyTorch.

    ``m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2``;
    ``w -= rate (m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) + weight_decay w)``

    `rate` is that of the schedule. Biases do not decay. Unlike in :class:`Adam`, epsilon is added
    after the bias correction. The gradient g includes the L2 penalty `alpha` of the trainer.

    Parameters
    ----------
    learning_rate_init, beta_1, beta_2, epsilon, schedule
        As in :class:`Adam`.
    weight_decay : float, default=0.01
        Fraction of each weight that is subtracted in a step, per unit of the learning rate.
    """

    weight_decay: float = 0.01

    update: ClassVar[str] = "adamw"

    def __post_init__(self) -> None:
        super().__post_init__()
        check.number("weight_decay", self.weight_decay, low=0.0)

    @property
    def constants(self) -> dict[str, float]:
        """Arguments of the engine."""
        return super().constants | {"weight_decay": self.weight_decay}


@set_module("dnncore.training")
@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS (Liu and Nocedal 1989) on the loss of all rows, for small data sets.

    One iteration counts as one epoch. Mini-batches, learning rates and shuffling do not apply.
    The curvature that the last 10 iterations have found is kept between fits: several fits of one
    iteration are the same as one of as many iterations.

    A step fulfils the strong Wolfe conditions (Moré and Thuente 1994). Training ends when no
    derivative exceeds the `tol` of the fit, or the loss falls by less than 2e-9 of it, or of 1.

    Parameters
    ----------
    max_fun : int, default=15000
        Maximum number of loss evaluations.
    """

    max_fun: int = 15000

    learning_rate_init: ClassVar[float] = 1.0
    schedule: ClassVar[str] = "constant"
    update: ClassVar[str] = "lbfgs"

    def __post_init__(self) -> None:
        check.integer("max_fun", self.max_fun, low=1)

    @property
    def constants(self) -> dict[str, float]:
        """Arguments of the engine; empty, because this solver does not use it."""
        return {}
