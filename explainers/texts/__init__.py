"""From what a person typed to what the model sees: spans, pairs, chats, features."""
