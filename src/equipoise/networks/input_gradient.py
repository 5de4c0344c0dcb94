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


def logits_and_input_gradient(
    samples: Samples, layers: Sequence[tuple[Tensor, Tensor]], *, leak: float
) -> tuple[Logits, Samples]:
    """The logit of each sample and its gradient in the sample, both differentiable once in the weights.

    Args:
        samples: flattened. Shape `(batch, inputs)`.
        layers: weight and bias of each layer, the one that gives the logit last.
        leak: slope of the rectifier below zero, above 0.

    Returns:
        Shapes `(batch,)` and `(batch, inputs)`.

    Numerics:
        Equal to what `autograd.grad(create_graph=True)` gives, to the order of float32 sums.
    """
    weights = [entry for layer in layers for entry in layer]
    return _Network.apply(samples, leak, *weights)


class _Network(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, samples: Tensor, leak: float, *weights: Tensor) -> tuple[Tensor, Tensor]:
        matrices, biases = weights[0::2], weights[1::2]
        hidden = [samples]
        for matrix, bias in zip(matrices[:-1], biases[:-1], strict=True):
            before = torch.addmm(bias, hidden[-1], matrix.t())
            hidden.append(torch.nn.functional.leaky_relu_(before, leak))
        logits = torch.addmm(biases[-1], hidden[-1], matrices[-1].t()).squeeze(1)
        back = matrices[-1].expand(len(samples), -1)
        backs = []
        for matrix, after in zip(reversed(matrices[:-1]), reversed(hidden[1:]), strict=True):
            back = _through(back, after, leak)
            backs.append(back)
            back = back @ matrix
        context.leak, context.depth = leak, len(backs)
        context.save_for_backward(*hidden, *reversed(backs), *matrices)
        return logits, back

    @staticmethod
    @once_differentiable
    def backward(context: Any, of_logits: Tensor, of_gradient: Tensor) -> tuple[Tensor | None, ...]:
        depth, saved = context.depth, context.saved_tensors
        hidden, backs, matrices = saved[: depth + 1], saved[depth + 1 : 2 * depth + 1], saved[2 * depth + 1 :]
        delta, tangent = of_logits.unsqueeze(1), of_gradient
        of_weights: list[Tensor | None] = []
        for before, after, back, matrix in zip(hidden, hidden[1:], backs, matrices, strict=False):
            of_weights.append(back.t() @ torch.addcmul(tangent, before, delta))
            of_weights.append((back.t() @ delta).squeeze(1))
            tangent = _through(tangent @ matrix.t(), after, context.leak)
        of_weights.append(delta.t() @ hidden[-1] + tangent.sum(dim=0, keepdim=True))
        of_weights.append(delta.sum(dim=0))
        of_samples = (backs[0] @ matrices[0]) * delta if context.needs_input_grad[0] else None
        return (of_samples, None, *of_weights)


def _through(slope: Tensor, after: Tensor, leak: float) -> Tensor:
    """A derivative through the rectifier: its output has the sign of its input."""
    return torch.ops.aten.leaky_relu_backward(slope, after, leak, True)
