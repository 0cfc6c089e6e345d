"""Live documents for clients: a text that is edited, and what the daemon found out about its records so far."""

from __future__ import annotations

from saliscope.protocol.live.document import LiveDocument
from saliscope.protocol.live.files import read_text
from saliscope.protocol.live.order import Order
from saliscope.protocol.live.record import LiveRecord
from saliscope.protocol.live.session import LiveSession, SessionState

__all__ = ["LiveDocument", "LiveRecord", "LiveSession", "Order", "SessionState", "read_text"]
