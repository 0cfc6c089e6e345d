"""A prompt: messages, what comes next, what the model writes, and what caused it."""
