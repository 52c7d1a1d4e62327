"""Optimizers and their state as tensors, gradient clipping, and the moving average of the weights."""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from nmt.config import TrainingSettings

Parameters = Sequence[nn.Parameter]


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> Optimizer:
    """Return the optimizer that `training.optimizer` names."""
    return OPTIMIZERS[settings.optimizer](list(model.parameters()), settings)


def is_fused(optimizer: Optimizer) -> bool:
    """Return whether one kernel updates all weights. It leaves them alone where `found_inf` is set."""
    return bool(optimizer.param_groups[0]["fused"])


def _fused(parameters: Parameters) -> bool:
    """Return whether the device has fused optimizers: all but the meta device, on which only shapes are computed."""
    return not any(parameter.is_meta for parameter in parameters)


def _adam(parameters: Parameters, settings: TrainingSettings) -> Optimizer:
    """Adam (Kingma & Ba 2015); `training.weight_decay` is added to the gradient."""
    return Adam(
        parameters, betas=_betas(settings), weight_decay=settings.weight_decay, eps=1e-9, fused=_fused(parameters)
    )


def _adamw(parameters: Parameters, settings: TrainingSettings) -> Optimizer:
    """AdamW: Adam with `training.weight_decay` decoupled from the gradient (Loshchilov & Hutter 2019)."""
    return AdamW(
        parameters, betas=_betas(settings), weight_decay=settings.weight_decay, eps=1e-9, fused=_fused(parameters)
    )


def _sgd(parameters: Parameters, settings: TrainingSettings) -> Optimizer:
    """Stochastic gradient descent, with `training.momentum`."""
    fused = _fused(parameters)
    return SGD(parameters, lr=1.0, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=fused)


def _betas(settings: TrainingSettings) -> tuple[float, float]:
    return settings.betas[0], settings.betas[1]


def values_per_weight(settings: TrainingSettings) -> int:
    """Return how many values the optimizer stores per weight, by running one step of it."""
    weights = nn.Parameter(torch.zeros(2))
    weights.grad = torch.zeros(2)
    optimizer = OPTIMIZERS[settings.optimizer]([weights], settings)
    optimizer.step()
    return sum(tensor.shape == weights.shape for tensor in optimizer_tensors(optimizer).values())


def memory_needed(settings: TrainingSettings, shapes: Iterable[Sequence[int]]) -> int:
    """Return the bytes that weights of these shapes, gradients, optimizer state and moving average need, in float32."""
    copies = 2 + values_per_weight(settings) + bool(settings.ema)
    return 4 * copies * sum(math.prod(shape) for shape in shapes)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(model: nn.Module, norm: float) -> Tensor:
    """Return the norm of all gradients together, and scale them down to `norm` if it is not 0."""
    parameters = list(model.parameters())
    if norm:
        return nn.utils.clip_grad_norm_(parameters, norm)
    return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


@torch.no_grad()
def update_average(
    average: dict[str, Tensor], weights: dict[str, Tensor], decay: float, step: int, finite: Tensor | None = None
) -> None:
    """Update average <- decay * average + (1 - decay) * weights, with a smaller decay early on to forget the start.

    Where `finite`, a value on the device, is false, nothing changes.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    others = [weights[name] for name in average]
    if finite is None:
        torch._foreach_lerp_(list(average.values()), others, share)
        return
    wanted = finite.float() * share
    for own, other in zip(average.values(), others, strict=True):
        own.lerp_(other, wanted)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return {`parameter index.name`: tensor} of the optimizer state."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore the state from `optimizer_tensors`.

    Raise ValueError if it is of another optimizer or other parameters.
    """
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
