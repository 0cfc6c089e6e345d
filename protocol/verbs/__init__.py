"""What may be asked of a daemon, each verb written once for both clients, in rooms by what it is about."""

from __future__ import annotations

from saliscope.protocol.verbs.daemon import DaemonVerbs
from saliscope.protocol.verbs.documents import DocumentVerbs
from saliscope.protocol.verbs.explaining import ExplainingVerbs
from saliscope.protocol.verbs.jobs import JobVerbs
from saliscope.protocol.verbs.models import ModelVerbs

__all__ = ["Verbs"]


class Verbs(ExplainingVerbs, ModelVerbs, DocumentVerbs, JobVerbs, DaemonVerbs):
    """All verbs; a client that has them says in `ask` how a call is driven."""
