"""The Hydra configuration tree: one folder per choice, one YAML file per value."""
