"""What the daemon does when many want something of it at once."""
