"""Who decides: heuristic, optimal, planned and learned policies behind one protocol."""

from pushpull.agents.policy import AGENTS, POLICIES, Policy, make_policy

__all__ = ["AGENTS", "POLICIES", "Policy", "make_policy"]
