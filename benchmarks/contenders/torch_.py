"""PyTorch: the usual eager training loop, a fully compiled training step, and inference mode."""

import itertools
import math
from collections.abc import Callable

import torch
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Problem, Scoring, Training
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

Tensors = list[torch.Tensor]


def network(problem: Problem) -> torch.nn.Sequential:
    """Return a network with the initial weights that computes the logits."""
    torch.set_num_threads(problem.threads)
    layers: list[torch.nn.Module] = []
    for W, b in zip(*problem.weights(), strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=getattr(torch, problem.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, torch.nn.Sigmoid()]
    return torch.nn.Sequential(*layers[:-1])


def optimizer_class_and_settings(problem: Training) -> tuple[type, dict[str, object]]:
    if problem.solver == "momentum":
        settings: dict[str, object] = {"momentum": MOMENTUM}
        optimizer: type = torch.optim.SGD
    else:
        # PyTorch adds epsilon after the bias correction of v, the others before it, so the losses
        # differ slightly.
        settings = {"betas": (BETA_1, BETA_2), "eps": EPSILON}
        optimizer = torch.optim.Adam
    return optimizer, settings | {"lr": problem.learning_rate, "fused": True}


def train(problem: Training) -> Callable[[], float]:
    model = network(problem)
    optimizer_class, settings = optimizer_class_and_settings(problem)
    optimizer = optimizer_class(model.parameters(), **settings)

    def step(x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        loss = cross_entropy(model(x), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return _epochs(problem, step)


def train_compiled(problem: Training) -> Callable[[], float]:
    """Train with loss, derivatives and update compiled as one graph, which takes a third of the
    time of compiling only the loss."""
    torch.set_num_threads(problem.threads)
    parameters = [
        torch.from_numpy(x) for pair in zip(*problem.weights(), strict=True) for x in pair
    ]
    state, update, rates = UPDATES[problem.solver](problem, parameters)

    def loss_of(parameters: Tensors, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            x = torch.sigmoid(torch.addmm(b, x, W))
        return cross_entropy(torch.addmm(parameters[-1], x, parameters[-2]), label)

    @torch.compile(fullgraph=True, dynamic=False)
    def compiled(x: torch.Tensor, label: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
        gradient, loss = torch.func.grad_and_value(loss_of)(parameters, x, label)
        update(parameters, state, gradient, rate)
        return loss

    rate = torch.zeros((), dtype=parameters[0].dtype)

    def step(x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return compiled(x, label, rate.fill_(next(rates)))

    return _epochs(problem, step)


def _epochs(
    problem: Training, step: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> Callable[[], float]:
    X, y = (torch.from_numpy(array) for array in problem.data())
    batches = list(zip(X.split(problem.batch_size), y.split(problem.batch_size), strict=True))
    total = torch.zeros((), dtype=X.dtype)

    def epoch() -> float:
        total.zero_()
        for x, label in batches:
            total.add_(step(x, label))
        return total.item() / len(batches)

    return epoch


def _momentum(problem: Training, parameters: Tensors):
    velocity = [torch.zeros_like(w) for w in parameters]

    def update(parameters: Tensors, velocity: Tensors, gradient: Tensors, rate) -> None:
        for w, v, g in zip(parameters, velocity, gradient, strict=True):
            v.mul_(MOMENTUM).sub_(rate * g)
            w.add_(v)

    return velocity, update, itertools.repeat(problem.learning_rate)


def _adam(problem: Training, parameters: Tensors):
    state = [(torch.zeros_like(w), torch.zeros_like(w)) for w in parameters]

    def update(parameters: Tensors, state, gradient: Tensors, rate) -> None:
        for w, (m, v), g in zip(parameters, state, gradient, strict=True):
            m.mul_(BETA_1).add_(g, alpha=1 - BETA_1)
            v.mul_(BETA_2).add_(g * g, alpha=1 - BETA_2)
            w.sub_(rate * m / (v.sqrt() + EPSILON))

    rates = (
        problem.learning_rate * math.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        for t in itertools.count(1)
    )
    return state, update, rates


UPDATES = {"momentum": _momentum, "adam": _adam}


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    model = torch.nn.Sequential(*network(problem), torch.nn.Softmax(dim=1)).eval()

    @torch.inference_mode()
    def predict_proba(X: NDArray) -> NDArray:
        return model(torch.from_numpy(X)).numpy()

    return predict_proba
