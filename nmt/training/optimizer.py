"""Optimizers and their state as tensors, clipping, and the moving average of the weights."""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from nmt.config import TrainingSettings

Parameters = Iterable[nn.Parameter]


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> Optimizer:
    return OPTIMIZERS[settings.optimizer](model.parameters(), settings)


def _adam(parameters: Parameters, settings: TrainingSettings) -> Optimizer:
    """Adam (Kingma & Ba 2015); `training.weight_decay` is part of the gradient."""
    return Adam(parameters, betas=_betas(settings), weight_decay=settings.weight_decay, eps=1e-9, fused=True)


def _adamw(parameters: Parameters, settings: TrainingSettings) -> Optimizer:
    """Adam with `training.weight_decay` beside the gradient (Loshchilov & Hutter 2019)."""
    return AdamW(parameters, betas=_betas(settings), weight_decay=settings.weight_decay, eps=1e-9, fused=True)


def _sgd(parameters: Parameters, settings: TrainingSettings) -> Optimizer:
    """Stochastic gradient descent, with `training.momentum`."""
    return SGD(parameters, lr=1.0, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=True)


def _betas(settings: TrainingSettings) -> tuple[float, float]:
    return settings.betas[0], settings.betas[1]


def values_per_weight(settings: TrainingSettings) -> int:
    """Return how many values an optimizer keeps for each weight, as a step of it shows."""
    weights = nn.Parameter(torch.zeros(2))
    weights.grad = torch.zeros(2)
    optimizer = OPTIMIZERS[settings.optimizer]([weights], settings)
    optimizer.step()
    return sum(tensor.shape == weights.shape for tensor in optimizer_tensors(optimizer).values())


def memory_needed(settings: TrainingSettings, shapes: Iterable[Sequence[int]]) -> int:
    """Return the bytes of weights of these shapes, their gradients, optimizer state and moving average, in float32."""
    copies = 2 + values_per_weight(settings) + bool(settings.ema)
    return 4 * copies * sum(math.prod(shape) for shape in shapes)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(model: nn.Module, norm: float) -> float:
    """The norm of all gradients together, which are then scaled down to `norm` if that is not 0."""
    parameters = list(model.parameters())
    if norm:
        return float(nn.utils.clip_grad_norm_(parameters, norm))
    return float(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))


@torch.no_grad()
def update_average(average: dict[str, Tensor], weights: dict[str, Tensor], decay: float, step: int) -> None:
    """average <- decay * average + (1 - decay) * weights; early on the decay is smaller, so the start is forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.values()), [weights[name] for name in average], 1 - decay)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """{`parameter index.name`: tensor}."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave. Raise ValueError if it is of another optimizer or other parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        shape = () if name == "step" else tuple(parameters[int(index)].shape) if int(index) < len(parameters) else None
        fits = tuple(tensor.shape) == shape and tensor.is_floating_point() and bool(tensor.isfinite().all())
        if name not in STATES[type(optimizer)] or not fits:
            raise ValueError(key)
        state.setdefault(int(index), {})[name] = tensor
    if any(set(values) != STATES[type(optimizer)] for values in state.values()):
        raise ValueError("incomplete")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}
STATES: dict[type[Optimizer], set[str]] = {Adam: _MOMENTS, AdamW: _MOMENTS, SGD: {"momentum_buffer"}}

OPTIMIZERS: dict[str, Callable[[Parameters, TrainingSettings], Optimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "sgd": _sgd,
}
