"""PyTorch modules for steps of a network that PyTorch lacks; importing them needs PyTorch."""

# Without annotations from __future__: torch.jit.script reads those below.

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

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: NDArray[Any], scale: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(np.array(mean)))
        self.register_buffer("scale", torch.from_numpy(np.array(scale)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
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

    fill: torch.Tensor
    features: torch.Tensor

    def __init__(self, fill: NDArray[Any], features: NDArray[np.intp]) -> None:
        super().__init__()
        self.register_buffer("fill", torch.from_numpy(np.array(fill)))
        self.register_buffer("features", torch.from_numpy(np.array(features, np.int64)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        is_missing = torch.isnan(x)
        indicators = torch.index_select(is_missing, -1, self.features).to(x.dtype)
        return torch.cat([torch.where(is_missing, self.fill, x), indicators], dim=-1)

    def extra_repr(self) -> str:
        return f"n_features={self.fill.numel()}, n_indicators={self.features.numel()}"


class Rescale(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """``z scale + mean`` per output: logits in the units of the targets; both are buffers.

    Parameters
    ----------
    scale, mean : array (n_outputs,)
    """

    scale: torch.Tensor
    mean: torch.Tensor

    def __init__(self, scale: NDArray[Any], mean: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("scale", torch.from_numpy(np.array(scale)))
        self.register_buffer("mean", torch.from_numpy(np.array(mean)))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z * self.scale + self.mean

    def extra_repr(self) -> str:
        return f"n_outputs={self.mean.numel()}"


class Exp(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """``exp(z)``, at most the largest finite number."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.nan_to_num(torch.exp(z), nan=float("nan"))


class Sort(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """The elements of every row in ascending order."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sort(z, dim=-1).values


class Embedding(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """Piecewise-linear embedding of numbers; `lower` and `inverse_width` are buffers.

    Parameters
    ----------
    lower, inverse_width : array (n_numeric, n_bins)
    s : array (n_outputs,)
    V : array (n_numeric, size, n_bins)
    c : array (n_numeric, size)
    """

    lower: torch.Tensor
    inverse_width: torch.Tensor

    def __init__(
        self,
        lower: NDArray[Any],
        inverse_width: NDArray[Any],
        s: NDArray[Any],
        V: NDArray[Any],
        c: NDArray[Any],
    ) -> None:
        super().__init__()
        self.register_buffer("lower", torch.from_numpy(np.array(lower)))
        self.register_buffer("inverse_width", torch.from_numpy(np.array(inverse_width)))
        self.s, self.V, self.c = (
            torch.nn.Parameter(torch.from_numpy(np.array(array))) for array in (s, V, c)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n_numeric = self.c.shape[0]
        numbers, rest = x[..., :n_numeric], x[..., n_numeric:]
        q = ((numbers[..., None] - self.lower) * self.inverse_width).clamp(0, 1)
        e = self.c + torch.einsum("...ft,fdt->...fd", q, self.V)
        return self.s * torch.cat([numbers, e.flatten(-2), rest], dim=-1)

    def extra_repr(self) -> str:
        n_numeric, size, n_bins = self.V.shape
        return f"n_numeric={n_numeric}, n_bins={n_bins}, size={size}"
