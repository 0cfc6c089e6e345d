"""Requests that need a model: each waits for it, runs, and is answered exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.evaluating import Evaluating
from saliscope.daemon.worker.outlet import Outlet
from saliscope.daemon.worker.pool import ModelPool
from saliscope.daemon.worker.running import Running, explain_steps, predict_steps, tokenize_steps
from saliscope.explainers.attribution import Attribution, segment_dict, token_dict
from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.texts.segments import pair_notes
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluate
from saliscope.protocol.parameters import Explain, LoadModel, Predict, Tokenize
from saliscope.protocol.terms import PROTOCOL_VERSION

DEFAULT_MODEL = "demo-encoder"


class Desk:
    """Takes requests, starts them when their model is there, and forgets them when they are answered."""

    def __init__(self, pool: ModelPool, batcher: Batcher, outlet: Outlet) -> None:
        self._pool, self._batcher, self._outlet = pool, batcher, outlet
        self._running: dict[int, Running | Evaluating] = {}
        self._waiting: set[int] = set()

    @property
    def num_requests(self) -> int:
        """Requests that wait or run."""
        return len(self._running) + len(self._waiting)

    def cancel(self, request_id: Any) -> None:
        """Stop a request and answer it; one that is answered already is left alone."""
        if request_id in self._running:
            self._running[request_id].cancel()
        elif request_id in self._waiting:
            self._waiting.discard(request_id)
            self._pool.forget(request_id)
            self._outlet.fail(request_id, SaliscopeError("cancelled", "the client cancelled this request"))

    def load(self, request_id: int, params: LoadModel, warnings: list[str]) -> None:
        """Answer with the model's facts when it is loaded."""

        def run(model: TextModel) -> None:
            self._outlet.answer(request_id, self._pool.info(params.model))

        self._with_model(request_id, params.model, params.download, run)

    def tokenize(self, request_id: int, params: Tokenize, warnings: list[str]) -> None:
        """Answer with the tokens of a text."""

        def run(model: TextModel) -> None:
            running = self._new(
                request_id, model, tokenize_steps(model, params), lambda results: answer(model, results[0])
            )
            running.on_done = None
            self._start(running)

        def answer(model: TextModel, encoding: Encoding) -> dict[str, Any]:
            return {
                "tokens": [token_dict(token) for token in encoding.tokens],
                "model": model.facts.name,
                "max_tokens": model.facts.max_tokens,
                "truncated_at": encoding.truncated_at,
                "warnings": [*pair_notes(encoding), *warnings],
                "text": encoding.text,
                "segments": [segment_dict(segment) for segment in encoding.segments],
            }

        self._with_model(request_id, params.model, False, run)

    def predict(self, request_id: int, params: Predict, warnings: list[str]) -> None:
        """Answer with the prediction for each text."""

        def finish(results: list[Any]) -> dict[str, Any]:
            return {
                "model": params.model or DEFAULT_MODEL,
                "predictions": [prediction for prediction, _ in results],
                "truncated_at": [cut for _, cut in results],
                "warnings": warnings,
            }

        def run(model: TextModel) -> None:
            self._start(self._new(request_id, model, predict_steps(model, params), finish))

        self._with_model(request_id, params.model, params.download, run)

    def explain(self, request_id: int, params: Explain, warnings: list[str]) -> None:
        """Answer with the explanation of each text; partial ones and progress are notified meanwhile."""
        many = isinstance(params.text, list)
        why = [] if params.model else [f"model {DEFAULT_MODEL}: the bundled encoder, since none was named"]

        def message(attribution: Attribution) -> dict[str, Any]:
            row = attribution.to_dict()
            own = [] if many else warnings
            return {
                **row,
                "why": [*why, *row["why"]],
                "warnings": [*row["warnings"], *own],
                "protocol": PROTOCOL_VERSION,
            }

        def finish(results: list[Attribution]) -> dict[str, Any]:
            rows = [message(result) for result in results]
            return {"explanations": rows, "warnings": warnings} if many else rows[0]

        def partial(index: int, attribution: Attribution) -> None:
            estimate = {"id": request_id, "index": index, "explanation": message(attribution)}
            self._outlet.notify("explain/partial", estimate)

        def run(model: TextModel) -> None:
            running = self._new(request_id, model, explain_steps(model, params), finish)
            running.on_partial = partial if params.stream else None
            self._start(running)

        self._with_model(request_id, params.model, params.download, run)

    def evaluate(self, request_id: int, params: Evaluate, warnings: list[str]) -> None:
        """Answer with the table of an evaluation; units done are notified meanwhile."""

        def run(model: TextModel) -> None:
            def finish(table: dict[str, Any]) -> None:
                del self._running[request_id]
                self._outlet.answer(request_id, {**table, "warnings": [*table["warnings"], *warnings]})

            def fail(error: SaliscopeError) -> None:
                del self._running[request_id]
                self._outlet.fail(request_id, error)

            count = self._outlet.counting(request_id, "evaluating")
            self._start(Evaluating(request_id, model, params, self._batcher, finish, fail, count))

        self._with_model(request_id, params.model, params.download, run)

    def _new(
        self,
        request_id: int,
        model: TextModel,
        steps: list[Callable[[], Any]],
        answer: Callable[[list[Any]], dict[str, Any]],
    ) -> Running:
        def finish(results: list[Any]) -> None:
            del self._running[request_id]
            self._outlet.answer(request_id, answer(results))

        def fail(error: SaliscopeError) -> None:
            del self._running[request_id]
            self._outlet.fail(request_id, error)

        return Running(request_id, model, steps, self._batcher, finish, fail, on_done=self._outlet.counting(request_id))

    def _start(self, running: Running | Evaluating) -> None:
        self._running[running.id] = running
        running.start()

    def _with_model(self, request_id: int, name: str | None, download: bool, run: Callable[[TextModel], None]) -> None:
        """Call `run` with the model, now or when it is loaded; an error answers the request."""

        def loaded(outcome: TextModel | ExplainerError) -> None:
            self._waiting.discard(request_id)
            try:
                if isinstance(outcome, ExplainerError):
                    raise outcome
                run(outcome)
            except Exception as error:  # one request's failure must not end the others'
                self._running.pop(request_id, None)
                self._outlet.fail(request_id, to_wire_error(error))

        self._waiting.add(request_id)
        self._pool.get(
            name or DEFAULT_MODEL, download, request_id, loaded, lambda *told: self._outlet.stage(request_id, *told)
        )
