"""Who decides: heuristic, optimal, planned and learned policies behind one protocol."""

from pushpull.agents.policy import AGENTS, POLICIES, SYSTEMS, Policy, make_agent, make_policy

__all__ = ["AGENTS", "POLICIES", "SYSTEMS", "Policy", "make_agent", "make_policy"]
