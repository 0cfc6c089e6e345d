"""What travels on the socket: messages, framing, errors, clients, finding and starting the daemon."""
