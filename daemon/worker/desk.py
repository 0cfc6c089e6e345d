"""Requests that need a model: each waits for it, runs, and is answered exactly once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from saliscope.daemon.worker.askers import Askers
from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.evaluating import Evaluating
from saliscope.daemon.worker.marks import Marks
from saliscope.daemon.worker.outlet import Outlet
from saliscope.daemon.worker.pool.pool import ModelPool
from saliscope.daemon.worker.running import Running, explain_steps, generate_steps, predict_steps, tokenize_steps
from saliscope.daemon.worker.scheduling.level import LEVELS
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.sharing import Asker, Computation, Estimate, Shared
from saliscope.explainers.attribution import Attribution, segment_dict, token_dict
from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.targets.writing import Written
from saliscope.explainers.texts.segments import pair_notes
from saliscope.protocol.evaluations import Evaluate
from saliscope.protocol.origin import Origin
from saliscope.protocol.parameters import Explain, Generate, LoadModel, Predict, Tokenize
from saliscope.protocol.terms import OPTIONS, PROTOCOL_VERSION

DEFAULT_MODEL = "demo-encoder"

#: Fields that change nothing of what is computed.
_HOW: Final = frozenset(OPTIONS) - {"max_rows"} | {"model", "download", "stream"}
_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")

#: What a computation is started with: its owner, its model, and who hears how it goes.
Start = Callable[[Owner, TextModel, Shared], Computation]


class Desk:
    """Takes requests and starts each when its model is there."""

    def __init__(self, pool: ModelPool, batcher: Batcher, outlet: Outlet, marks: Marks) -> None:
        self._marks = marks
        self._pool, self._batcher, self._outlet = pool, batcher, outlet
        self.askers = Askers(outlet, batcher.queue.clock, batcher.rank, pool.forget)

    def load(self, request_id: int, params: LoadModel, warnings: list[str]) -> None:
        """Answer with the model's facts when it is loaded."""
        asker = Asker(request_id)
        self.askers.arrive(asker)
        self._with_model(
            asker, params.model, params.download, lambda model: self.askers.reply(asker, self._pool.info(params.model))
        )

    def tokenize(self, request_id: int, params: Tokenize, warnings: list[str], origin: Origin) -> None:
        """Answer with the tokens of a text."""

        def answer(results: list[Any], notes: list[str]) -> dict[str, Any]:
            encoding, facts = results[0]
            return {
                "tokens": [token_dict(token) for token in encoding.tokens],
                "model": facts.name,
                "max_tokens": facts.max_tokens,
                "truncated_at": encoding.truncated_at,
                "warnings": [*pair_notes(encoding), *warnings],
                "text": encoding.text,
                "segments": [segment_dict(segment) for segment in encoding.segments],
            }

        def start(owner: Owner, model: TextModel, shared: Shared) -> Computation:
            return Running(owner, model, tokenize_steps(model, params), self._batcher, shared)

        self._run(Asker(request_id, origin.client, answer=answer), params, origin, start)

    def predict(self, request_id: int, params: Predict, warnings: list[str], origin: Origin) -> None:
        """Answer with the prediction for each text."""

        def answer(results: list[Any], notes: list[str]) -> dict[str, Any]:
            told = {
                "model": params.model or DEFAULT_MODEL,
                "predictions": [prediction for prediction, _, _ in results],
                "truncated_at": [cut for _, cut, _ in results],
                "warnings": [*warnings, *notes],
            }
            return told if params.mask is None else {**told, "masked": [spans for _, _, spans in results]}

        def start(owner: Owner, model: TextModel, shared: Shared) -> Computation:
            return Running(owner, model, predict_steps(model, params), self._batcher, shared, params.max_rows)

        asker = Asker(request_id, answer=answer, counted=self._outlet.counting(request_id))
        self._run(_with_options(asker, params, origin), params, origin, start)

    def explain(self, request_id: int, params: Explain, warnings: list[str], origin: Origin) -> None:
        """Answer with the explanation of each text; partial ones and progress are notified meanwhile."""
        many = isinstance(params.text, list)
        why = [] if params.model else [f"model {DEFAULT_MODEL}: the bundled encoder, since none was named"]

        def message(attribution: Attribution, notes: list[str]) -> dict[str, Any]:
            row = attribution.to_dict()
            return {
                **row,
                "why": [*why, *row["why"]],
                "warnings": [*row["warnings"], *notes],
                "protocol": PROTOCOL_VERSION,
            }

        def answer(results: list[Attribution], notes: list[str]) -> dict[str, Any]:
            notes = [*warnings, *notes]
            rows = [message(result, [] if many else notes) for result in results]
            return {"explanations": rows, "warnings": notes} if many else rows[0]

        def estimated(index: int, attribution: Estimate) -> None:
            assert isinstance(attribution, Attribution)
            estimate = message(attribution, [] if many else warnings)
            self._outlet.notify("explain/partial", {"id": request_id, "index": index, "explanation": estimate})

        def start(owner: Owner, model: TextModel, shared: Shared) -> Computation:
            return Running(owner, model, explain_steps(model, params), self._batcher, shared, params.max_rows)

        asker = Asker(request_id, answer=answer, counted=self._outlet.counting(request_id))
        asker.estimated = estimated if params.stream else None
        self._run(_with_options(asker, params, origin), params, origin, start)

    def generate(self, request_id: int, params: Generate, warnings: list[str], origin: Origin) -> None:
        """Answer with what the model writes; what it has written so far is notified meanwhile."""

        told: Written | None = None

        def answer(
            results: list[Written], notes: list[str], kept_tokens: int = 0, kept_text: int = 0
        ) -> dict[str, Any]:
            found, cut = results[0], results[0].encoding.truncated_at
            said = [] if cut is None else ["the prompt is longer than the model reads; it goes on where it was cut"]
            return {
                "model": params.model or DEFAULT_MODEL,
                "text": found.text[kept_text:],
                "tokens": [
                    {"id": one.id, "start": start, "end": end, "probability": one.probability, "likely": one.likely}
                    for one, (start, end) in zip(found.tokens[kept_tokens:], found.places[kept_tokens:], strict=True)
                ],
                "finish": found.finish,
                "prompt_tokens": len(found.encoding),
                "seed": params.seed,
                "temperature": params.temperature,
                "truncated_at": cut,
                "warnings": [*said, *warnings, *notes],
            }

        def estimated(index: int, written: Estimate) -> None:
            nonlocal told
            assert isinstance(written, Written)
            tokens, text = (0, 0) if told is None else written.kept_of(told)
            told = written
            new = answer([written], [], tokens, text)
            place = {"id": request_id, "kept_tokens": tokens, "kept_text": text}
            self._outlet.notify("generate/partial", {**place, "new": new})

        def start(owner: Owner, model: TextModel, shared: Shared) -> Computation:
            return Running(owner, model, generate_steps(model, params), self._batcher, shared, params.max_rows)

        asker = Asker(request_id, answer=answer, estimated=estimated if params.stream else None)
        self._run(_with_options(asker, params, origin), params, origin, start)

    def evaluate(self, request_id: int, params: Evaluate, warnings: list[str], origin: Origin) -> None:
        """Answer with the table of an evaluation; units done are notified meanwhile."""

        def answer(table: dict[str, Any], notes: list[str]) -> dict[str, Any]:
            return {**table, "warnings": [*table["warnings"], *warnings, *notes]}

        def start(owner: Owner, model: TextModel, shared: Shared) -> Computation:
            return Evaluating(owner, model, params, self._batcher, shared)

        asker = Asker(request_id, answer=answer, counted=self._outlet.counting(request_id, "evaluating"))
        self._run(_with_options(asker, params, origin), params, origin, start)

    def _run(
        self, asker: Asker, params: Explain | Generate | Predict | Tokenize | Evaluate, origin: Origin, start: Start
    ) -> None:
        """Have a request computed when its model is there, with those that ask the same."""

        fixed = isinstance(params, Explain) and params.deterministic

        def run(model: TextModel) -> None:
            def make(shared: Shared) -> Computation:
                alone = origin.alone or fixed
                return start(Owner(origin.client, asker.level, alone, shared.askers.keys(), fixed), model, shared)

            same = asker.id if origin.alone else _digest(params)
            self.askers.compute(asker, (id(model), same), make)

        self.askers.arrive(asker)
        self._with_model(asker, params.model, getattr(params, "download", False), run)
        self.askers.supersede(asker)

    def _with_model(self, asker: Asker, name: str | None, download: bool, run: Callable[[TextModel], None]) -> None:
        """Call `run` with the model, now or when it is loaded; an error answers the request."""

        def loaded(outcome: TextModel | ExplainerError) -> None:
            self._marks.set((asker.id,))
            try:
                if isinstance(outcome, ExplainerError):
                    raise outcome
                run(outcome)
            except Exception as error:  # one request's failure must not end the others'
                self.askers.reply(asker, to_wire_error(error))

        self._pool.get(
            name or DEFAULT_MODEL, download, asker.id, loaded, lambda *told: self._outlet.stage(asker.id, *told)
        )


def _with_options(asker: Asker, params: Explain | Generate | Predict | Evaluate, origin: Origin) -> Asker:
    asker.client, asker.level, asker.max_ms = origin.client, LEVELS[params.priority], params.max_ms
    asker.newest = None if params.supersede is None else (origin.client, params.supersede)
    return asker


def _digest(params: Explain | Generate | Predict | Tokenize | Evaluate) -> bytes:
    """What is asked, without how it is to be answered: requests of the same digest share a computation."""
    fields = {name: value for name, value in msgspec.to_builtins(params).items() if name not in _HOW}
    return hashlib.blake2b(type(params).__name__.encode() + _ENCODER.encode(fields)).digest()
