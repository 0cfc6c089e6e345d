"""Sockets, sessions and routing; asyncio, no torch."""
