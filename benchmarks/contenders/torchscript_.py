"""TorchScript: the traced, frozen and optimized PyTorch network."""

from collections.abc import Callable

import torch
from _problems import Scoring
from numpy.typing import NDArray

from .torch_ import network


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    model = torch.nn.Sequential(*network(problem), torch.nn.Softmax(dim=1)).eval()
    example = torch.from_numpy(problem.data())
    script = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, example)))

    @torch.inference_mode()
    def predict_proba(X: NDArray) -> NDArray:
        return script(torch.from_numpy(X)).numpy()

    return predict_proba
