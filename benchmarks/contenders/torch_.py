"""PyTorch: the usual loop with a fused optimizer, eager and compiled; inference mode."""

from collections.abc import Callable

import torch
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Problem, Scoring, Training
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy


def network(problem: Problem) -> torch.nn.Sequential:
    """The logits, with the initial weights."""
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
        return torch.optim.SGD, {
            "lr": problem.learning_rate,
            "momentum": MOMENTUM,
            "fused": True,
        }
    return torch.optim.Adam, {
        "lr": problem.learning_rate,
        "betas": (BETA_1, BETA_2),
        "eps": EPSILON,
        "fused": True,
    }


def train(problem: Training, *, compiled: bool = False) -> Callable[[], float]:
    model = network(problem)
    optimizer_class, settings = optimizer_class_and_settings(problem)
    optimizer = optimizer_class(model.parameters(), **settings)
    X, y = problem.data()
    batches = [
        (torch.from_numpy(X[i : i + problem.batch_size]), torch.from_numpy(y[i : i + problem.batch_size]))
        for i in range(0, len(X), problem.batch_size)
    ]

    def loss_of(x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return cross_entropy(model(x), label)

    if compiled:
        loss_of = torch.compile(loss_of, fullgraph=True, dynamic=False)

    def epoch() -> float:
        total = torch.zeros(())
        for x, label in batches:
            loss = loss_of(x, label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total.item() / len(batches)

    return epoch


def train_compiled(problem: Training) -> Callable[[], float]:
    return train(problem, compiled=True)


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    model = torch.nn.Sequential(*network(problem), torch.nn.Softmax(dim=1)).eval()

    @torch.inference_mode()
    def predict_proba(X: NDArray) -> NDArray:
        return model(torch.from_numpy(X)).numpy()

    return predict_proba
