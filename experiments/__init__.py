"""What is run: the commands that train, evaluate, compare, tune and report."""
