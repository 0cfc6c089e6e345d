"""The long-lived process: front (sockets), worker (model), engines (how the front reaches workers)."""
