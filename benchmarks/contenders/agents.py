"""PPO on CartPole, and learning from a stream of dicts."""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_cartpole.py"
N_EPISODES = 100


def cartpole_dnncore() -> Callable[[int], dict[str, float]]:
    """Return a task that trains the agent of the example with a seed."""
    import matplotlib

    matplotlib.use("Agg")
    example = runpy.run_path(str(EXAMPLE), run_name="example")

    def task(seed: int) -> dict[str, float]:
        start = time.perf_counter()
        network, _ = example["train"](seed)
        seconds = time.perf_counter() - start
        returns = example["returns"](network, N_EPISODES, seed=10_000)
        return {"seconds": seconds, "mean_return": sum(returns) / N_EPISODES}

    return task


def cartpole_stable_baselines3() -> Callable[[int], dict[str, float]]:
    """Return a task that trains the agent of the same hyper-parameters with a seed."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    torch.set_num_threads(1)

    def task(seed: int) -> dict[str, float]:
        environments = make_vec_env("CartPole-v1", n_envs=8, seed=seed)
        agent = PPO(
            "MlpPolicy", environments, learning_rate=lambda left: 0.001 * left, n_steps=32,
            batch_size=256, n_epochs=20, gamma=0.98, gae_lambda=0.8,
            clip_range=lambda left: 0.2 * left, seed=seed, device="cpu",
        )  # fmt: skip
        start = time.perf_counter()
        agent.learn(100_000)
        seconds = time.perf_counter() - start
        one = make_vec_env("CartPole-v1", n_envs=1, seed=10_000)
        mean, _ = evaluate_policy(agent, one, n_eval_episodes=N_EPISODES)
        return {"seconds": seconds, "mean_return": float(mean)}

    return task


# --------------------------------------------------------------------------------- streams


def stream_dnncore() -> Any:
    from dnncore.river import NetworkClassifier

    return NetworkClassifier((100,), seed=0)


def stream_softmax_regression() -> Any:
    from river import linear_model, preprocessing

    return preprocessing.StandardScaler() | linear_model.SoftmaxRegression()


def stream_logistic_regression() -> Any:
    from river import linear_model, preprocessing

    return preprocessing.StandardScaler() | linear_model.LogisticRegression()


def stream_hoeffding_tree() -> Any:
    from river import tree

    return tree.HoeffdingTreeClassifier()


CARTPOLE = {
    "dnncore": "contenders.agents:cartpole_dnncore",
    "stable-baselines3": "contenders.agents:cartpole_stable_baselines3",
}
STREAMS = {
    "dnncore.river": "contenders.agents:stream_dnncore",
    "river-softmax-regression": "contenders.agents:stream_softmax_regression",
    "river-logistic-regression": "contenders.agents:stream_logistic_regression",
    "river-hoeffding-tree": "contenders.agents:stream_hoeffding_tree",
}
