r"""Classical two-sample tests on the sides of the referee's marks: Dcorr and Hsic as in hyppo 0.5.2 with 200
permutations, a one-split classifier test, Hotelling's T2.

A statistic of hyppo's is, up to a factor that no permutation changes, :math:`\sum_{i \ne j} X_{ij} Y_{ij}`: X the
centred distances (or Gaussian kernel) of the pooled samples, Y those of their labels. Y takes one value within a side,
one across sides and one on the diagonal, so that all permutations together cost one product of X with the permuted
labels, where hyppo goes through both matrices again for each. `tests/theory/test_referee_benchmark.py` compares with
hyppo's own statistic, permutation by permutation.
"""

from __future__ import annotations

import time

import numpy as np

PERMUTATIONS = 200
NAMES = ("dcorr", "hsic", "one_split", "hotelling")


def p_values(real: np.ndarray, fake: np.ndarray, stream: np.random.Generator) -> dict[str, float]:
    """p-value of each test, and the CPU-seconds that each took (the distances are counted with the first)."""
    from sklearn.metrics import pairwise_distances

    labels = np.repeat([0.0, 1.0], [len(real), len(fake)])
    matrix = np.zeros(0)

    def dcorr() -> float:
        nonlocal matrix
        matrix = pairwise_distances(np.concatenate((real, fake)).astype(np.float64))
        return permutation_p_value(matrix, labels, (0.0, 1.0, 0.0), stream)

    def hsic() -> float:
        kernel, of_labels = gaussian_kernel(matrix)
        return permutation_p_value(kernel, labels, of_labels, stream)

    tests = {
        "dcorr": dcorr,
        "hsic": hsic,
        "one_split": lambda: one_split(real, fake, stream),
        "hotelling": lambda: hotelling(real, fake),
    }
    found: dict[str, float] = {}
    for name, test in tests.items():
        started = time.process_time()
        found[name] = round(float(test()), 6)
        found[f"{name}_cpu_seconds"] = round(time.process_time() - started, 3)
    return found


def gaussian_kernel(distances: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float]]:
    """hyppo's kernel exp(-d^2 / (2 m^2)) with the median distance m, and its values on labels 0 and 1: within a side,
    across sides, on the diagonal. It takes the width for the labels from the samples, too."""
    count = len(distances)
    # All entries but the diagonal: after each diagonal entry there are `count` others before the next one.
    others = distances.ravel()[:-1].reshape(count - 1, count + 1)[:, 1:]
    rate = 1 / (2 * np.median(others) ** 2)
    kernel = np.square(distances)
    kernel *= -rate
    return np.exp(kernel, out=kernel), (1.0, float(np.exp(-rate)), 1.0)


def permuted_statistics(matrix: np.ndarray, labels: np.ndarray, of_labels: tuple[float, float, float]) -> np.ndarray:
    r"""The sum over pairs :math:`\sum_{i \ne j} X_{ij} Y_{ij}` for each labelling.

    Both matrices are U-centred: :math:`X_{ij} = M_{ij} - (r_i + r_j) / (n - 2) + R / ((n - 1)(n - 2))` with the row
    sums r and total R of M. With y the 0/1 label of a sample, M of the labels is, off its diagonal,
    :math:`b + (a - b)(y_i y_j + (1 - y_i)(1 - y_j))`, a within a side and b across sides.

    Args:
        matrix: distances or kernel values, symmetric. Shape `(n, n)`.
        labels: 0 or 1 per sample; each labelling has as many of each. Shape `(n, labellings)`.
        of_labels: of the labels' matrix, the values within a side, across sides and on the diagonal.

    Returns:
        Shape `(labellings,)`.

    Reference:
        Szekely and Rizzo 2014, Annals of Statistics 42(6), Definition 2 (U-centring).
    """
    count, ones = len(matrix), float(labels[:, 0].sum())
    zeros = count - ones
    rows, diagonal = matrix.sum(axis=1), matrix.diagonal()
    shift = rows.sum() / ((count - 1) * (count - 2))
    sums = -diagonal  # over j != i of the centred X: all else cancels, which is what U-centring is for
    # Over the pairs i != j with y_i = y_j = 1.
    pairs = (labels * (matrix @ labels)).sum(axis=0) - diagonal @ labels
    pairs += -2 * (ones - 1) / (count - 2) * (rows @ labels) + ones * (ones - 1) * shift
    everything, of_ones = sums.sum(), sums @ labels
    within, across, own = of_labels
    same = 2 * pairs - 2 * of_ones + everything
    row_of_zero = own + within * (zeros - 1) + across * ones
    row_of_one = own + within * (ones - 1) + across * zeros
    total = zeros * row_of_zero + ones * row_of_one
    of_rows = row_of_zero * everything + (row_of_one - row_of_zero) * of_ones
    raw = across * everything + (within - across) * same
    return raw - 2 * of_rows / (count - 2) + total / ((count - 1) * (count - 2)) * everything


def permutation_p_value(
    matrix: np.ndarray, labels: np.ndarray, of_labels: tuple[float, float, float], stream: np.random.Generator
) -> float:
    """(1 + permutations at least as far out) / (1 + permutations), as hyppo's `perm_test`."""
    labellings = [labels, *(stream.permutation(labels) for _ in range(PERMUTATIONS))]
    observed, *null = permuted_statistics(matrix, np.stack(labellings, axis=1), of_labels)
    return (1 + sum(value >= observed for value in null)) / (1 + PERMUTATIONS)


def one_split(real: np.ndarray, fake: np.ndarray, stream: np.random.Generator) -> float:
    """Boosted trees fitted on half of each side; the other half's hits, binomial under chance level.

    Reference:
        Lopez-Paz and Oquab 2017, arXiv:1610.06545, section 3.
    """
    from scipy.stats import binom
    from sklearn.ensemble import HistGradientBoostingClassifier

    count = min(len(real), len(fake))
    both = [side[stream.permutation(len(side))[:count]] for side in (real, fake)]
    half = count // 2
    samples = np.concatenate([side[:half] for side in both])
    labels = np.repeat([1, 0], half)
    classifier = HistGradientBoostingClassifier(random_state=int(stream.integers(2**31))).fit(samples, labels)
    guesses = [classifier.predict(side[half:]) for side in both]
    hits = int((guesses[0] == 1).sum() + (guesses[1] == 0).sum())
    return float(binom.sf(hits - 1, 2 * (count - half), 0.5))


def hotelling(real: np.ndarray, fake: np.ndarray) -> float:
    """Hotelling's T2 of two means with one covariance: exact for normal samples.

    Reference:
        Hotelling 1931, Annals of Mathematical Statistics 2(3), section 3.
    """
    from scipy.stats import f

    dimensions, count = real.shape[1], len(real) + len(fake)
    difference = real.mean(axis=0) - fake.mean(axis=0)
    scatter = sum((len(side) - 1) * np.atleast_2d(np.cov(side, rowvar=False)) for side in (real, fake)) / (count - 2)
    squared = len(real) * len(fake) / count * difference @ np.linalg.solve(scatter, difference)
    ratio = (count - dimensions - 1) / (dimensions * (count - 2)) * squared
    return float(f.sf(ratio, dimensions, count - dimensions - 1))
