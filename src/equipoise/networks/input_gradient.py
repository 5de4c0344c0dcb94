r"""A fully connected network with its input gradient, and the gradient of both in its weights, in closed form.

For hidden layers :math:`h_k = \phi(W_k h_{k-1} + b_k)` with a leaky rectifier and the logit
:math:`l = w \cdot h_K + c`, let :math:`M_k` be the diagonal matrix of the rectifier's slopes at a sample. Almost
everywhere they do not change with the weights, and

.. math::
    \nabla_x l = W_1^T v_1, \qquad v_k = M_k W_{k+1}^T v_{k+1}, \quad v_K = M_K w

is linear in each :math:`W_k`. A loss with the derivative :math:`\delta` in the logit and t, a vector, in its input
gradient therefore has

.. math::
    \frac{\partial L}{\partial W_k} = v_k\, (\delta\, h_{k-1} + t_{k-1})^T, \quad
    \frac{\partial L}{\partial b_k} = \delta\, v_k, \quad
    \frac{\partial L}{\partial w} = \delta\, h_K + t_K, \qquad t_0 = t, \quad t_k = M_k W_k t_{k-1}

One product of matrices for each weight does the work of two, and a penalty on the gradient needs no graph of a graph.

Reference:
    Drucker & Le Cun 1992, doi:10.1109/72.165600 (double backpropagation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from equipoise.shapes import Logits, Samples

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weight and bias of each layer; the last one has no rectifier behind it."""


def logits_and_input_gradient(samples: Samples, layers: Layers, *, leak: float) -> tuple[Logits, Samples]:
    """The logit of each sample and its gradient in the sample, both differentiable once in the weights.

    Args:
        samples: flattened. Shape `(batch, inputs)`.
        layers: the one that gives the logit last.
        leak: slope of the rectifier below zero, above 0.

    Returns:
        Shapes `(batch,)` and `(batch, inputs)`.

    Numerics:
        Equal to what `autograd.grad(create_graph=True)` gives, to the order of float32 sums.
    """
    weights = [entry for layer in layers for entry in layer]
    return _Network.apply(samples, leak, *weights)


def activations(samples: Tensor, layers: Layers, *, leak: float) -> tuple[list[Tensor], Tensor]:
    """The input and what each rectifier gives, and the output: `(batch, units)` each."""
    hidden = [samples]
    for matrix, bias in layers[:-1]:
        hidden.append(torch.nn.functional.leaky_relu_(torch.addmm(bias, hidden[-1], matrix.t()), leak))
    matrix, bias = layers[-1]
    return hidden, torch.addmm(bias, hidden[-1], matrix.t())


def input_gradient(hidden: Sequence[Tensor], layers: Layers, *, leak: float) -> tuple[list[Tensor], Tensor]:
    """v_1 to v_K of the head of this file, and the gradient of the logit in the input."""
    back = layers[-1][0].expand(len(hidden[0]), -1)
    backs = []
    for (matrix, _), after in zip(reversed(layers[:-1]), reversed(hidden[1:]), strict=True):
        back = through_rectifier(back, after, leak, in_place=len(backs) > 0)
        backs.append(back)
        back = back @ matrix
    return backs[::-1], back


def weight_gradients(
    delta: Tensor, tangent: Tensor, hidden: Sequence[Tensor], backs: Sequence[Tensor], layers: Layers, *, leak: float
) -> list[Tensor]:
    """Derivatives in the weight and the bias of each layer, in that order, of a loss whose derivatives are `delta` in
    the logits, `(batch, 1)`, and `tangent` in the input gradients, `(batch, inputs)`."""
    found = []
    for place, (before, after, back, (matrix, _)) in enumerate(
        zip(hidden[:-1], hidden[1:], backs, layers[:-1], strict=True)
    ):
        forward = tangent @ matrix.t()
        # The tangent that was given is its owner's; those made here are not needed any more.
        mixed = tangent.addcmul_(before, delta) if place else torch.addcmul(tangent, before, delta)
        found.append(back.t() @ mixed)
        found.append((delta.t() @ back).squeeze(0))
        tangent = through_rectifier(forward, after, leak, in_place=True)
    found.append(torch.addmm(tangent.sum(dim=0, keepdim=True), delta.t(), hidden[-1]))
    found.append(delta.sum(dim=0))
    return found


def backward_pass(of_output: Tensor, hidden: Sequence[Tensor], layers: Layers, *, leak: float) -> list[Tensor]:
    """Derivatives in the input, then in the weight and the bias of each layer, of a loss with the derivative
    `of_output`, `(batch, outputs)`: plain backpropagation."""
    found: list[Tensor] = []
    slope = of_output
    for place in range(len(layers) - 1, -1, -1):
        found += [slope.sum(dim=0), slope.t() @ hidden[place]]
        slope = slope @ layers[place][0]
        if place:
            slope = through_rectifier(slope, hidden[place], leak, in_place=True)
    return [slope, *reversed(found)]


def through_rectifier(slope: Tensor, after: Tensor, leak: float, *, in_place: bool = False) -> Tensor:
    """A derivative through the rectifier, whose output has the sign of its input; `in_place` of the one given."""
    if in_place:
        return torch.ops.aten.leaky_relu_backward.grad_input(slope, after, leak, True, grad_input=slope)
    return torch.ops.aten.leaky_relu_backward(slope, after, leak, True)


class _Network(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, samples: Tensor, leak: float, *weights: Tensor) -> tuple[Tensor, Tensor]:
        layers = list(zip(weights[0::2], weights[1::2], strict=True))
        hidden, output = activations(samples, layers, leak=leak)
        backs, gradient = input_gradient(hidden, layers, leak=leak)
        context.leak, context.depth = leak, len(backs)
        context.save_for_backward(*hidden, *backs, *weights)
        return output.squeeze(1), gradient

    @staticmethod
    @once_differentiable
    def backward(context: Any, of_logits: Tensor, of_gradient: Tensor) -> tuple[Tensor | None, ...]:
        depth, saved = context.depth, context.saved_tensors
        hidden, backs, weights = saved[: depth + 1], saved[depth + 1 : 2 * depth + 1], saved[2 * depth + 1 :]
        layers, delta = list(zip(weights[0::2], weights[1::2], strict=True)), of_logits.unsqueeze(1)
        of_weights = weight_gradients(delta, of_gradient, hidden, backs, layers, leak=context.leak)
        of_samples = (backs[0] @ weights[0]) * delta if context.needs_input_grad[0] else None
        return (of_samples, None, *of_weights)
