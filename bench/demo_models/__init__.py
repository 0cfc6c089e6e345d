"""How the two bundled demo models are made and measured: ``python -m bench.demo_models --help``."""
