"""The terminal UI: a text in colours that change while it is typed; a client of the daemon."""
