"""A second way to any standard error by user: weigh one user a little more and see what the number does.

The infinitesimal jackknife (Jaeckel 1972; Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans,
chapter 6): numerically, from requests, without any formula of the package.
"""

import math

import numpy as np


def error_by_user(statistic, user, step=1e-5):
    """√(K/(K − 1) Σ Dₖ²), Dₖ the derivative of ``statistic(weights of requests)`` by the weight of user k."""
    users = np.unique(user)
    derivatives = []
    for one in users:
        own = user == one
        up, down = (statistic(np.where(own, 1 + sign * step, 1.0)) for sign in (1, -1))
        derivatives.append((up - down) / (2 * step))
    derivatives = np.asarray(derivatives)
    derivatives = derivatives - derivatives.mean()
    k = len(users)
    return math.sqrt(k / (k - 1) * derivatives @ derivatives)


def users_and_requests(rng, users=40, most=12):
    """Users' numbers of requests, and each request's user."""
    sizes = rng.integers(1, most + 1, users)
    return sizes, np.repeat(np.arange(users), sizes)


def sums_by_user(user, *columns):
    """One row per user, one column per sum."""
    k = int(user.max()) + 1
    return np.column_stack(
        [np.bincount(user, weights=np.asarray(c, dtype=float), minlength=k) for c in columns]
    )


def covariance_by_user(statistic, user, step=1e-5):
    """The same for a statistic that is a vector: its covariance matrix."""
    users = np.unique(user)
    derivatives = []
    for one in users:
        own = user == one
        up, down = (statistic(np.where(own, 1 + sign * step, 1.0)) for sign in (1, -1))
        derivatives.append((np.asarray(up) - np.asarray(down)) / (2 * step))
    table = np.array(derivatives)
    table = table - table.mean(axis=0)
    return table.T @ table * len(users) / (len(users) - 1)
