"""Which queries run next; plain code without torch."""
