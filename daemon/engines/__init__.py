"""How the front reaches workers."""
