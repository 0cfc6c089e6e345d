"""Bundled demo weights: two small sentiment models, see docs/models.md."""
