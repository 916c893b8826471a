"""Who decides: heuristic, optimal, planned and learned policies behind one protocol."""
