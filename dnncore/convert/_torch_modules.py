"""PyTorch modules for steps of a network that PyTorch lacks; importing them needs PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Norm(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """``(x - mean) / scale`` per feature; `mean` and `scale` are buffers and are not trained.

    Parameters
    ----------
    mean, scale : array (n_features,)
    """

    mean: Any
    scale: Any

    def __init__(self, mean: NDArray[Any], scale: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(np.array(mean)))
        self.register_buffer("scale", torch.from_numpy(np.array(scale)))

    def forward(self, x: Any) -> Any:
        return (x - self.mean) / self.scale

    def extra_repr(self) -> str:
        return f"n_features={self.mean.numel()}"


class Missing(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Replace NaN with `fill`; append, for each of `features`, 1 if it was NaN and 0 otherwise.

    Parameters
    ----------
    fill : array (n_features,)
    features : intp array (n_indicators,)
    """

    fill: Any
    features: Any

    def __init__(self, fill: NDArray[Any], features: NDArray[np.intp]) -> None:
        super().__init__()
        self.register_buffer("fill", torch.from_numpy(np.array(fill)))
        self.register_buffer("features", torch.from_numpy(np.array(features, np.int64)))

    def forward(self, x: Any) -> Any:
        is_missing = torch.isnan(x)
        indicators = is_missing[..., self.features].to(x.dtype)
        return torch.cat([torch.where(is_missing, self.fill, x), indicators], dim=-1)

    def extra_repr(self) -> str:
        return f"n_features={self.fill.numel()}, n_indicators={self.features.numel()}"


class Rescale(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """``z scale + mean`` per output, in the units of the targets; both are buffers.

    Parameters
    ----------
    scale, mean : array (n_outputs,)
    """

    scale: Any
    mean: Any

    def __init__(self, scale: NDArray[Any], mean: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("scale", torch.from_numpy(np.array(scale)))
        self.register_buffer("mean", torch.from_numpy(np.array(mean)))

    def forward(self, z: Any) -> Any:
        return z * self.scale + self.mean

    def extra_repr(self) -> str:
        return f"n_outputs={self.mean.numel()}"
