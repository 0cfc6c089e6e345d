"""The figures of the daemon, as `status` and as Prometheus tell them."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from saliscope.daemon.front.metrics import METRICS
from saliscope.protocol.errors import SaliscopeError

Start = Callable[..., Any]


def scraped(daemon: Any) -> dict[tuple[str, ...], float]:
    """Every sample by its name and label values."""
    found = re.search(r"metrics on http://(\S+)/metrics", daemon.log())
    assert found is not None
    with urllib.request.urlopen(f"http://{found[1]}/metrics", timeout=60) as page:
        text = page.read().decode()
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_prometheus_and_status_tell_the_same(start: Start) -> None:
    daemon = start("--metrics", "127.0.0.1:0")
    client = daemon.client()
    client.explain("a")
    client.explain("partials 2", on_partial=lambda _: None)
    with pytest.raises(SaliscopeError):
        client.explain("busy")
    with pytest.raises(SaliscopeError):
        client.call("a text of somebody", {})
    samples = scraped(daemon)
    assert samples["saliscope_requests_total", "explain", "answered"] == 2
    assert samples["saliscope_requests_total", "explain", "failed"] == 1
    assert samples["saliscope_requests_total", "unknown", "failed"] == 1
    assert samples["saliscope_errors_total", "busy"] == 1
    assert samples["saliscope_first_partial_seconds_count",] == 1
    assert samples["saliscope_request_seconds_bucket", "+Inf"] == 4
    assert samples["saliscope_models_loaded",] == 1
    assert samples["saliscope_rows_total",] == 30
    assert samples["saliscope_batch_fill",] == 0.75
    assert samples["saliscope_queue_seconds_total", "interactive"] == 1.5
    assert samples["saliscope_memory_bytes", "front_rss"] > 1 << 20
    assert not [name for name in samples if "somebody" in str(name)]
    told = client.status().figures
    assert told["requests"]["explain"] == {"answered": 2, "failed": 1}
    assert told["errors"] == {"busy": 1, "bad_request": 1}
    assert told["computed"] == {"batches": 3, "rows": 30, "tokens": 300, "padded_tokens": 400}
    assert told["queue"] == {"interactive": {"begun": 3, "waited_s": 1.5}}
    assert told["connections"]["accepted"] == 1
    assert sum(told["first_partial_seconds"]["counts"]) == 1


def test_every_metric_has_a_sample_or_waits_for_its_first_event(start: Start) -> None:
    daemon = start("--metrics", "127.0.0.1:0")
    daemon.client().explain("a")
    names = {name[0] for name in scraped(daemon)}
    missing = {m.name for m in METRICS if not [name for name in names if name.startswith(f"saliscope_{m.name}")]}
    assert missing == {"errors"}


def test_without_the_extra_it_says_what_to_install(home: Path) -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None; sys.argv = ['daemon', '--metrics=127.0.0.1:0']; "
        "from saliscope.daemon.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 14
    assert "pip install 'saliscope[metrics]'" in done.stderr
    assert "Traceback" not in done.stderr
