"""The daemon as its clients see it, with fake workers behind it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import msgpack
import pytest

from saliscope import __version__
from saliscope.protocol import paths
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification, Response

Start = Callable[..., Any]
Until = Callable[[Callable[[], Any]], Any]


def test_the_socket_and_its_folder_are_for_the_user_alone(daemon: Any) -> None:
    path = paths.socket_path()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_every_verb_works_end_to_end(daemon: Any) -> None:
    client = daemon.client()
    assert client.ping() == {"pong": True, "version": __version__}
    assert client.explain("a").scores == [1.0, 0.5, 1 / 3]
    assert [each.text for each in client.explain(["a", "b"])] == ["a", "b"]
    assert client.predict(["a"]).model == "fake"
    assert client.tokenize("abc").max_tokens == 3
    heard: list[str] = []
    assert client.generate("a", on_written=lambda so_far: heard.append(so_far.text)).text == "b"
    assert heard == ["b"]
    assert client.load_model("m").name == "m"
    assert client.unload_model("fake").unloaded
    assert [model.name for model in client.models()] == ["fake"]
    assert [method.name for method in client.methods()] == ["fake"]
    status = client.status()
    assert (status.pid, status.version, status.sessions) == (daemon.process.pid, __version__, 1)
    assert status.workers[0]["device"] == "fake"
    assert status.memory["prefixes"] == 7
    assert client.clear_cache().prefixes == 7
    assert [model.name for model in status.models] == ["fake"]


def test_status_ping_and_models_start_no_worker(daemon: Any) -> None:
    client = daemon.client()
    client.ping()
    assert [(model.name, model.state) for model in client.models()] == [
        ("demo-encoder", "available"),
        ("demo-decoder", "available"),
    ]
    cleared = client.clear_cache()
    assert (cleared.memory, cleared.prefixes) == (0, 0)
    assert client.status().workers == []


def test_the_catalogue_is_kept_for_the_next_daemon(start: Start) -> None:
    first = start()
    methods = first.client().methods()
    first.end()
    client = start().client()
    assert client.methods() == methods
    assert client.status().workers == []


def test_progress_and_partials_carry_the_id_of_the_client_s_request(daemon: Any) -> None:
    client = daemon.client()
    client.ping()
    partials: list[Any] = []
    progress: list[Any] = []
    assert client.explain("partials 1", on_partial=partials.append, on_progress=progress.append).estimate == "final"
    assert [(each.id, each.explanation.estimate) for each in partials] == [(3, "partial")]
    assert [(each.id, each.stage) for each in progress] == [(3, "starting the worker")]


def test_wrong_parameters_and_methods_are_bad_requests_that_name_the_field(daemon: Any) -> None:
    client = daemon.client()
    with pytest.raises(SaliscopeError, match="granularity: Expected token, word, sentence, line, or regex:PATTERN"):
        client.explain("a", granularity="page")
    with pytest.raises(SaliscopeError, match=r"no method 'explian'; there are .*explain"):
        client.call("explian", {"text": "a"})
    assert client.explain("a").warnings == []
    assert client.call("explain", {"text": "a", "hue": 1})["warnings"] == ["unknown field 'hue' was ignored"]


def test_a_worker_hears_which_session_asks_and_no_client_can_say_so_itself(daemon: Any) -> None:
    one, two = daemon.client(), daemon.client()
    first = one.explain("origin").diagnostics
    assert first == one.explain("origin").diagnostics
    assert first["client"] != two.explain("origin").diagnostics["client"]
    forged = one.call("explain", {"text": "origin", "$origin": {"client": 99, "alone": True}})
    assert forged["diagnostics"] == first
    assert forged["warnings"] == ["unknown field '$origin' was ignored"]


def test_without_initialize_errors_are_strings_and_nothing_is_notified(daemon: Any) -> None:
    wire = daemon.wire()
    wire.request(1, "explain", text="partials 3", stream=True)
    assert isinstance(wire.read(), Response)
    wire.request(2, "explain", text="busy")
    assert wire.read() == Response(2, "busy: too much", None)
    wire.send(msgpack.packb([0, 3, "ping", ["x"]]))
    assert wire.read().error.startswith("bad_request: ")
    wire.send(msgpack.packb([0, 4, "status", []]))
    assert wire.read().error is None


def test_after_initialize_errors_are_arrays_and_notifications_can_be_wrapped(daemon: Any) -> None:
    wire = daemon.wire()
    wire.request(1, "initialize", notify={"method": "nvim_exec_lua", "head": ["return f(...)"]})
    assert wire.read().error is None
    wire.request(2, "explain", text="busy")
    # The first request that needs a worker is told that one starts.
    raw = wire.read()
    assert isinstance(raw, Notification)
    assert (raw.method, raw.params) == ("nvim_exec_lua", None)
    assert wire.read() == Response(2, ["busy", "too much", {}], None)


def test_scores_come_as_float32_where_the_client_asked_for_it(daemon: Any) -> None:
    plain, packed = daemon.client(), daemon.client(floats="f32")
    assert plain.explain("a").scores[2] == 1 / 3
    found = packed.explain("a")
    assert found.scores[2] != 1 / 3
    assert found.scores == pytest.approx([1, 1 / 2, 1 / 3])
    assert found.outputs[0].stderr == [0.5] * 3
    assert packed.explain(["a"])[0].scores == found.scores[:1]


def test_a_protocol_out_of_range_is_a_mismatch_that_names_the_daemon_s_version(daemon: Any) -> None:
    with pytest.raises(SaliscopeError) as caught:
        daemon.client(protocol_min=7, protocol_max=9)
    assert caught.value.code == "protocol_mismatch"
    assert caught.value.data["version"] == __version__


def test_a_cancelled_request_is_answered_so_and_the_worker_stops(daemon: Any, until: Until) -> None:
    wire = daemon.wire()
    wire.request(1, "explain", text="hang")
    other = daemon.client()
    until(lambda: [each for each in other.status().workers if each.get("queue", {}).get("waiting") == 1])
    wire.cancel(1)
    wire.cancel(99)
    assert wire.read() == Response(1, "cancelled: the request was cancelled", None)
    until(lambda: other.status().workers[0]["counters"]["cancelled"] == 1)
    assert other.status().requests["cancelled"] == 1


def test_a_request_cancelled_in_the_same_breath_is_answered(daemon: Any) -> None:
    wire = daemon.wire()
    for id in range(20):
        wire.request(id, "explain", text="hang")
        wire.cancel(id)
    assert sorted(wire.read().id for _ in range(20)) == list(range(20))


def test_a_disconnect_cancels_what_the_client_had_asked_for(daemon: Any, until: Until) -> None:
    wire = daemon.wire()
    wire.request(1, "initialize")
    wire.request(2, "explain", text="hang", stream=True)
    while not (isinstance(frame := wire.read(), Notification) and frame.method == "explain/partial"):
        pass
    wire.close()
    other = daemon.client()
    until(lambda: other.status().workers[0].get("counters", {}).get("cancelled") == 1)
    assert other.status().requests["cancelled"] == 1


def test_more_requests_than_allowed_are_busy_and_an_id_in_use_is_refused(start: Start) -> None:
    wire = start(requests=2).wire()
    wire.request(1, "explain", text="hang")
    wire.request(1, "explain", text="hang")
    assert "still in flight" in wire.read().error
    wire.request(2, "explain", text="hang")
    wire.request(3, "explain", text="hang")
    assert wire.read().error.startswith("busy: 2 requests")


@pytest.mark.parametrize("seed", range(5))
def test_ten_thousand_random_bytes_leave_the_daemon_up(daemon: Any, seed: int) -> None:
    wire, other = daemon.wire(), daemon.client()
    noise = random.Random(seed).randbytes(10_000)
    try:
        wire.send(noise)
        while wire.read() is not None:
            pass
    except BrokenPipeError:
        pass
    assert other.ping()["pong"] is True


def test_a_malformed_frame_closes_its_connection_with_a_reason_and_no_other(daemon: Any) -> None:
    wire, other = daemon.wire(), daemon.client()
    wire.request(1, "initialize")
    assert wire.read().error is None
    wire.send(msgpack.packb([0, "one", "ping", [{}]]))
    frame = wire.read()
    assert (frame.method, frame.params["code"]) == ("$/error", "bad_request")
    assert wire.read() is None
    assert other.ping()["pong"] is True


def test_a_frame_that_never_completes_is_dropped(start: Start) -> None:
    wire = start(frame_s=0.05).wire()
    wire.request(1, "initialize")
    assert wire.read().error is None
    wire.send(b"\x94\x00\x02")
    assert wire.read().params["code"] == "timeout"
    assert wire.read() is None


def test_a_slow_reader_gets_the_newest_estimate_and_every_answer(daemon: Any) -> None:
    slow, other = daemon.wire(), daemon.client()
    slow.request(1, "initialize")
    slow.request(2, "explain", text="partials 3000", stream=True)
    slow.request(3, "explain", text="a")
    # The fake worker takes one request after the other: now all of the first two has reached the front.
    other.explain("b")
    partials, answers = [], []
    while len(answers) < 3:
        frame = slow.read()
        if isinstance(frame, Response):
            answers.append(frame.id)
        elif frame.method == "explain/partial":
            partials.append(frame.params["explanation"]["scores"][0])
    assert answers == [1, 2, 3]
    assert partials == sorted(partials)
    assert partials[-1] == 2999
    assert len(partials) < 1500


def test_a_client_that_reads_nothing_is_dropped_and_others_are_served(start: Start) -> None:
    daemon = start(queued=1 << 20)
    deaf, other = daemon.wire(), daemon.client()
    for id in range(5):
        deaf.request(id, "explain", text="fat 50000")
    assert other.explain("a").scores
    answers = 0
    while deaf.read() is not None:
        answers += 1
    assert answers < 5
    assert other.ping()["pong"] is True


def test_shutdown_answers_what_is_in_flight_and_takes_nothing_new(daemon: Any, until: Until) -> None:
    wire, stopper = daemon.wire(), daemon.client()
    wire.request(1, "explain", text="hang")
    until(lambda: stopper.status().requests["in_flight"] == 1)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(stopper.shutdown()))
    thread.start()

    def is_closing() -> bool:
        wire.request(2, "explain", text="a")
        return "shutting_down" in str(wire.read().error)

    until(is_closing)
    until(lambda: not paths.socket_path().exists())
    wire.cancel(1)
    assert "cancelled" in wire.read().error
    thread.join()
    # The last "a" before the shutdown may still have been in flight.
    assert answers[0]["drained"] in (1, 2)
    assert wire.read() is None
    assert daemon.process.wait() == 0


def test_texts_are_never_logged(daemon: Any) -> None:
    client, secret = daemon.client(), "xyzzy-secret"
    client.explain(secret)
    for wrong in ({"text": [secret, 1]}, {"text": "a", secret: 1}, {"text": "a", "scale": secret}):
        wire = daemon.wire()
        wire.request(1, "explain", **wrong)
        wire.read()
        wire.send(msgpack.packb([0, secret, wrong]))
        wire.read()
    assert secret not in daemon.end()
