"""A worker without a model that keeps the contract of daemon/worker: what a text says is what happens.

`origin` answers with whose request it is, `crash` ends the process, `crash-once PATH` only while PATH is missing,
`hang` waits for `$/cancel`, `partials N` sends N partial estimates, `fat N` answers with N scores, `busy` and
`incapable` fail.
Anything else is explained at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
from pathlib import Path
from typing import Any

from saliscope.daemon.worker.marks import Marks
from saliscope.protocol.codec import CHUNK, Decoder, encode_notification, encode_response
from saliscope.protocol.frames import CLIENT_LIMITS, Notification, Request

#: Texts that begin so and are explained in a list.
ALONE = ("crash", "crash-once", "fail", "until")

METHOD = {
    "name": "fake",
    "summary": "Scores one over the position.",
    "group": "control",
    "needs": [],
    "targets": ["class"],
    "signed": False,
    "additive": False,
    "cost": "1",
    "source": "here",
}


PREDICTION = {"label": "positive", "index": 1, "probabilities": {"positive": 1.0}}


def explanation(text: str, scores: list[float], estimate: str = "final") -> dict[str, Any]:
    target = {"kind": "class", "label": "positive", "index": 1}
    return {
        "text": text,
        "model": "fake",
        "method": "fake",
        "params": {},
        "target": target,
        "scale": "logit",
        "granularity": "token",
        "prediction": PREDICTION,
        "tokens": [],
        "features": [],
        "scores": scores,
        "outputs": [{"target": target, "scores": scores, "stderr": [0.5] * len(scores)}],
        "value": 1.0,
        "base_value": 0.0,
        "signed": False,
        "additive": False,
        "gap": None,
        "baseline": None,
        "seed": 0,
        "estimate": estimate,
        "cost": {"forward_rows": 1, "backward_rows": 0},
        "timing_ms": {},
        "truncated_at": None,
        "fingerprint": "",
    }


def listed(text: str) -> dict[str, Any]:
    feature = {"text": text, "start": 0, "end": len(text), "tokens": [0]}
    return {**explanation(text, [1.0]), "features": [feature]}


class FakeWorker:
    def __init__(self, sock: socket.socket, marks: Marks) -> None:
        self.sock = sock
        self.marks = marks
        self.batch: set[int] = set()
        self.hanging: set[int] = set()
        self.listed: set[int] = set()
        self.counters = {"requests": 0, "cancelled": 0, "loads": 0}

    def serve(self) -> None:
        ready = {"pid": os.getpid(), "device": "fake", "version": "0", "methods": [METHOD]}
        self.sock.sendall(encode_notification("worker/ready", ready))
        decoder = Decoder(CLIENT_LIMITS)
        while data := self.sock.recv(CHUNK):
            for frame in decoder.frames(data):
                if isinstance(frame, Request):
                    self.counters["requests"] += 1
                    self.take(frame.id, frame.method, frame.params or {})
                elif isinstance(frame, Notification) and frame.params and frame.params["id"] in self.hanging:
                    self.counters["cancelled"] += 1
                    self.hanging.discard(frame.params["id"])
                    self.fail(frame.params["id"], "cancelled", "as asked")

    def take(self, id: int, method: str, params: dict[str, Any]) -> None:
        if method == "status":
            self.answer(id, self.status())
        elif method == "methods/list":
            self.answer(id, {"methods": [METHOD]})
        elif method == "models/list":
            self.answer(id, {"models": [{"name": "fake", "state": "ready"}]})
        elif method == "models/load":
            self.notify("$/progress", id=id, stage="loading", done=1.0, total=2.0)
            self.counters["loads"] += 1
            self.answer(id, {"name": params["model"], "state": "ready"})
        elif method == "models/unload":
            self.answer(id, {"unloaded": params["model"] == "fake"})
        elif method == "cache/clear":
            self.answer(id, {"prefixes": 7})
        elif method == "tokenize":
            self.answer(id, {"tokens": [], "model": "fake", "max_tokens": len(params["text"] or "")})
        elif method == "predict":
            num_texts = len(params["texts"]) if isinstance(params["texts"], list) else 1
            self.answer(id, {"model": "fake", "predictions": [PREDICTION] * num_texts})
        elif method == "generate":
            tokens = [{"id": 7, "start": 0, "end": 1, "probability": 1.0, "likely": {}}]
            whole = {"model": "fake", "text": "b", "tokens": tokens, "finish": "length", "prompt_tokens": 1,
                     "seed": 0, "temperature": 0.0}  # fmt: skip
            self.notify("generate/partial", id=id, kept_tokens=0, kept_text=0, new=whole)
            self.answer(id, whole)
        elif method == "initialize":
            self.answer(id, {"protocol": 1, "version": params["version"], "capabilities": [], "limits": {}})
        elif method == "evaluate":
            self.fail(id, "not_capable", "no evaluation here")
        else:
            self.explain(id, params["text"] or "", params["stream"], params.get("$origin", {}))

    def status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "device": "fake",
            "queue": {"waiting": len(self.hanging), "classes": {"interactive": {"begun": 3, "waited_s": 1.5}}},
            "memory": {"rss": 1, "prefixes": 7},
            "models": [{"name": "fake", "state": "ready"}],
            "counters": {**self.counters, "batches": 3, "rows": 30, "tokens": 300, "padded_tokens": 400},
        }

    def explain(self, id: int, text: str | list[str], stream: bool, origin: dict[str, Any]) -> None:
        if isinstance(text, list) and not any(one.partition(" ")[0] in ALONE for one in text):
            self.answer(id, {"explanations": [listed(each) for each in text]})
            return
        if isinstance(text, list):
            # One that does as it says is alone in its list, or the list fails.
            if len(text) > 1 or text[0] == "fail":
                self.fail(id, "bad_request", "as asked")
                return
            text = text[0]
            self.listed.add(id)
        command, _, argument = text.partition(" ")
        if command == "crash" or (command == "crash-once" and not Path(argument).exists()):
            if argument:
                Path(argument).touch()
            self.marks.set({*self.batch, id})
            os.kill(os.getpid(), signal.SIGKILL)
        beside = command == "beside" and not origin.get("alone")
        if beside:
            self.batch.add(id)
        if beside or command == "hang" or (command == "until" and not Path(argument).exists()):
            self.hanging.add(id)
            if stream:
                self.notify("explain/partial", id=id, index=0, explanation=explanation(text, [0.0], "partial"))
            return
        if command in ("origin", "beside", "until"):
            self.answer(id, {**explanation(text, [1.0]), "diagnostics": origin})
            return
        if command in ("busy", "incapable"):
            self.fail(id, "busy" if command == "busy" else "not_capable", "too much")
            return
        scores = [1 / (n + 1) for n in range(int(argument) if command == "fat" else 3)]
        if command == "partials" and stream:
            for n in range(int(argument)):
                body = explanation(text, [float(n)] * 1000, "partial")
                self.notify("explain/partial", id=id, index=0, explanation=body)
        self.answer(id, explanation(text, scores))

    def answer(self, id: int, result: dict[str, Any]) -> None:
        if id in self.listed:
            self.listed.remove(id)
            result = {"explanations": [listed(result["text"])]}
        self.sock.sendall(encode_response(id, None, result))

    def fail(self, id: int, code: str, message: str) -> None:
        self.sock.sendall(encode_response(id, [code, message, {}], None))

    def notify(self, method: str, **params: Any) -> None:
        self.sock.sendall(encode_notification(method, params))


def serve(sock: socket.socket, marks: Marks) -> None:
    FakeWorker(sock, marks).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    serve(socket.socket(fileno=parser.parse_args().fd), Marks())
