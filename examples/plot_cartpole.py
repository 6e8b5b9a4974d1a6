"""
An agent: PPO on CartPole
=========================

A cart balances a pole: four numbers describe the state, and the action is to push left or right.
The agent learns by proximal policy optimisation (PPO; Schulman et al. 2017): one network gives the
probabilities of the actions, another one estimates the return. The loss of PPO is not one of
:class:`dnncore.training.Trainer`, so `forward` and `backward` make the steps: what lies between is
NumPy. The hyper-parameters are those of the `zoo of stable-baselines3
<https://github.com/DLR-RM/rl-baselines3-zoo>`_; ``benchmarks/agents.py`` compares the time.
"""

import time

import gymnasium
import matplotlib.pyplot as plt
import numpy as np

from dnncore import Network
from dnncore.training import Adam, Trainer

N_STEPS = 100_000
N_ENVIRONMENTS, N_ROLLOUT = 8, 32  # a mini-batch: 8 environments, 32 steps in each
N_EPOCHS = 20
LEARNING_RATE, CLIP = 0.001, 0.2  # both decrease to 0
GAMMA, LAMBDA = 0.98, 0.8

# %%
# The networks take a mini-batch of states of shape (n, 4).


def trainer(n_outputs, output, seed):
    sizes = 4, 64, 64, n_outputs
    network = Network(sizes, dtype="f4", activation="tanh", output=output, seed=seed)
    for b in network.intercepts_:
        b[...] = 0.0
    solver = Adam(LEARNING_RATE, epsilon=1e-5)
    return Trainer(network, solver, alpha=0.0, n_threads=1, max_grad_norm=0.5, seed=seed)


# %%
# The loss of the policy is the mean of ``-min(r A, clip(r, 1 - c, 1 + c) A)``, where r is the
# probability of the action divided by that at the time of the action, and A the advantage. Its
# derivative with respect to the logits is ``r A (p - onehot) / n``, and 0 if the row is clipped.


def learn_policy(policy, states, actions, old_p, advantages, clip):
    rows = np.arange(len(actions))
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    for _ in range(N_EPOCHS):
        p = policy.forward(states)
        ratio = p[rows, actions] / old_p
        clipped = np.where(advantages > 0.0, ratio > 1.0 + clip, ratio < 1.0 - clip)
        weight = np.where(clipped, 0.0, ratio * advantages).astype("f4") / len(rows)
        dz = p * weight[:, None]
        dz[rows, actions] -= weight
        policy.backward(dz=dz)


# %%
# A rollout makes 32 steps in every environment. Advantages are estimated backwards from its end
# (GAE; Schulman et al. 2016). An episode that ends after 500 steps could have gone on: the value of
# its last state takes the place of what would have followed.


class Environments:
    """Environments that start anew when an episode ends, and the returns of all episodes."""

    def __init__(self, seed):
        self.all = [
            gymnasium.make("CartPole-v1", disable_env_checker=True) for _ in range(N_ENVIRONMENTS)
        ]
        self.states = np.array([e.reset(seed=seed + i)[0] for i, e in enumerate(self.all)], "f4")
        self.running = np.zeros(N_ENVIRONMENTS)
        self.returns, self.ends, self.n_steps = [], [], 0

    def step(self, actions, critic):
        rewards, ended = np.ones(N_ENVIRONMENTS, "f4"), np.zeros(N_ENVIRONMENTS, "f4")
        for i, environment in enumerate(self.all):
            self.states[i], reward, failed, timed_out, _ = environment.step(actions[i])
            self.running[i] += reward
            if failed or timed_out:
                if timed_out:
                    rewards[i] += GAMMA * critic.forward(self.states[i]).item()
                self.returns.append(self.running[i])
                self.ends.append(self.n_steps)
                ended[i], self.running[i], self.states[i] = 1.0, 0.0, environment.reset()[0]
        self.n_steps += N_ENVIRONMENTS
        return rewards, ended


def rollout(environments, policy, critic, rng):
    shape = N_ROLLOUT, N_ENVIRONMENTS
    states, actions = np.empty((*shape, 4), "f4"), np.empty(shape, np.intp)
    p, values, rewards, ended = np.empty((4, *shape), "f4")
    for t in range(N_ROLLOUT):
        states[t] = environments.states
        outputs = policy.forward(states[t])
        actions[t] = rng.random(N_ENVIRONMENTS) < outputs[:, 1]
        p[t] = outputs[np.arange(N_ENVIRONMENTS), actions[t]]
        values[t] = critic.forward(states[t])[:, 0]
        rewards[t], ended[t] = environments.step(actions[t].tolist(), critic)
    advantages, advantage = np.empty(shape, "f4"), np.zeros(N_ENVIRONMENTS, "f4")
    following = critic.forward(environments.states)[:, 0]
    for t in reversed(range(N_ROLLOUT)):
        goes_on = 1.0 - ended[t]
        advantage = (
            rewards[t] + GAMMA * goes_on * following - values[t]
            + GAMMA * LAMBDA * goes_on * advantage
        )  # fmt: skip
        advantages[t], following = advantage, values[t]
    flat = [x.ravel() for x in (actions, p, advantages, advantages + values)]
    return states.reshape(-1, 4), *flat


def train(seed):
    """Return the policy, and the environments with the returns of all episodes."""
    policy, critic = trainer(2, "softmax", seed), trainer(1, "identity", seed + 1000)
    policy.network.coefs_[-1] *= 0.01  # the two actions begin with about the same probability
    environments, rng = Environments(seed), np.random.default_rng(seed)
    while environments.n_steps < N_STEPS:
        left = 1.0 - environments.n_steps / N_STEPS
        policy.learning_rate = critic.learning_rate = LEARNING_RATE * left
        states, actions, p, advantages, targets = rollout(environments, policy, critic, rng)
        learn_policy(policy, states, actions, p, advantages, CLIP * left)
        for _ in range(N_EPOCHS):
            critic.step(states, targets)
    return policy.network, environments


# %%
# The task is solved if the mean return of 100 episodes is at least 475. A frozen
# :class:`~dnncore.predictor.Predictor` chooses the more probable action.


def returns(network, n_episodes, seed):
    policy, environment = network.freeze(), gymnasium.make("CartPole-v1")
    found = []
    for episode in range(n_episodes):
        state, _ = environment.reset(seed=seed + episode)
        total, ended = 0.0, False
        while not ended:
            state, reward, failed, timed_out, _ = environment.step(policy(state).argmax())
            total, ended = total + reward, failed or timed_out
        found.append(total)
    return found


if __name__ == "__main__":
    start = time.perf_counter()
    network, environments = train(seed=0)
    seconds = time.perf_counter() - start
    score = np.mean(returns(network, n_episodes=100, seed=10_000))
    print(f"{N_STEPS} steps in {seconds:.1f} s; mean return of 100 episodes {score:.1f}")

    figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
    ax.plot(environments.ends, environments.returns, ".", color="0.75", label="episodes")
    smooth = np.convolve(environments.returns, np.ones(20) / 20, "valid")
    ax.plot(environments.ends[19:], smooth, color="#0072b2", label="mean of 20 episodes")
    ax.set(xlabel="steps of the environments", ylabel="return", ylim=(0, 510))
    ax.set_title("The return of an episode rises to 500, its limit", fontsize=11)
    ax.legend(frameon=False, loc="lower right")
    ax.spines[["top", "right"]].set_visible(False)
    plt.show()
