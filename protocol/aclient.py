"""The asynchronous client: many calls at once on one connection; cancelling the awaiting task cancels the call."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

from saliscope.protocol import requests
from saliscope.protocol.codec import (
    CHUNK,
    CLIENT_LIMITS,
    Decoder,
    FrameError,
    Notification,
    Request,
    Response,
    encode_notification,
    encode_request,
)
from saliscope.protocol.documents import DocumentChanged, DocumentState
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluation
from saliscope.protocol.jobs import Job, JobResults, Jobs
from saliscope.protocol.parameters import Mask
from saliscope.protocol.repeating import asked_again, may_repeat
from saliscope.protocol.requests import (
    DisconnectedError,
    EvaluateOptions,
    ExplainOptions,
    GenerateOptions,
    JobOptions,
    LoadOptions,
    OnNotification,
    OnPartial,
    OnProgress,
    OnWritten,
    RecordOptions,
    RunOptions,
    given,
    read,
)
from saliscope.protocol.results import (
    Cleared,
    Explanation,
    Generated,
    Initialized,
    MethodInfo,
    Methods,
    ModelInfo,
    Models,
    Predictions,
    Status,
    Tokenized,
    Unloaded,
)
from saliscope.protocol.watching import (
    OnAttribution,
    OnFailed,
    OnFindings,
    OnSettled,
    Watcher,
    document_params,
    watcher_of,
)

if TYPE_CHECKING:
    import subprocess


class AsyncClient:
    """Speaks to a daemon, or to a worker, over a socket; made by `AsyncClient.adopt` or `aconnect`.

    Verbs raise `SaliscopeError`. Callbacks run on the event loop; an error in one fails its call only. With `redial`,
    a client that has lost its daemon goes on with the socket that it gives, where each call that may be asked again is
    asked again.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        process: subprocess.Popen[bytes] | None = None,
        on_notification: OnNotification | None = None,
        redial: Callable[[], Awaitable[socket.socket]] | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._process = process
        self._listen = on_notification
        self._redial = redial
        self._redialing = asyncio.Lock()
        self._wishes: dict[str, Any] = {}
        self._watchers: dict[str, Watcher] = {}
        self._last_id = 0
        self._answers: dict[int, asyncio.Future[Response]] = {}
        self._listeners: dict[int, OnNotification] = {}
        self._failure: SaliscopeError | None = None
        self._receiver = asyncio.create_task(self._receive())

    @classmethod
    async def adopt(
        cls,
        sock: socket.socket,
        *,
        process: subprocess.Popen[bytes] | None = None,
        on_notification: OnNotification | None = None,
        redial: Callable[[], Awaitable[socket.socket]] | None = None,
    ) -> AsyncClient:
        """A client on a connected socket; notifications about no call of its own go to `on_notification`."""
        reader, writer = await asyncio.open_connection(sock=sock)
        return cls(reader, writer, process=process, on_notification=on_notification, redial=redial)

    def new_id(self) -> int:
        """An id for one call, for those who must know it before the answer comes."""
        self._last_id = self._last_id % (2**32 - 1) + 1
        return self._last_id

    async def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        on_notification: OnNotification | None = None,
        *,
        id: int | None = None,
    ) -> Any:
        """Send one request (under the `id` of `new_id`) and await its result; cancelling this task sends `$/cancel`."""
        num_lost = 0
        while True:
            connection = self._receiver
            id = self.new_id() if id is None or num_lost else id
            try:
                return await self._ask(id, method, params, on_notification)
            except SaliscopeError as error:
                if self._redial is None or not may_repeat(method, error, num_lost):
                    raise
            num_lost += 1
            if on_notification is not None:
                on_notification(asked_again(id))
            # A daemon that ends still answers what is in flight.
            await asyncio.wait({connection})
            await self._take_over(connection)

    async def _ask(
        self, id: int, method: str, params: dict[str, Any] | None, on_notification: OnNotification | None
    ) -> Any:
        if self._failure is not None:
            raise self._failure
        frame = encode_request(id, method, params or {})
        answer = asyncio.get_running_loop().create_future()
        self._answers[id] = answer
        if on_notification is not None:
            self._listeners[id] = on_notification
        try:
            self._writer.write(frame)
            response = await answer
        except BaseException:
            if self._failure is None:
                self.cancel(id)
            raise
        finally:
            del self._answers[id]
            self._listeners.pop(id, None)
        if response.error is not None:
            raise SaliscopeError.from_wire(response.error)
        return response.result

    def cancel(self, id: int) -> None:
        """Ask for the end of a request (`id` as partials and progress carry it); it answers with `cancelled`."""
        self._writer.write(encode_notification("$/cancel", {"id": id}))

    @property
    def is_open(self) -> bool:
        """Whether the peer is still there, as far as we know."""
        return self._failure is None

    async def closed(self, unless: asyncio.Future[Any] | None = None) -> None:
        """Wait until the connection is lost or closed, or until `unless` is done."""
        waited = {self._receiver} if unless is None else {self._receiver, unless}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)

    # -- verbs ------------------------------------------------------------------------------------

    async def initialize(self, *, client: str = "saliscope", **params: Any) -> Initialized:
        """Open the session: array errors and notifications, unless `params` (of `Initialize`) say otherwise."""
        from saliscope import __version__

        fields = {"client": client, "version": __version__, **params}
        self._wishes = params
        return read(await self.call("initialize", fields), Initialized)

    @overload
    async def explain(
        self,
        text: str | None = None,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Explanation: ...
    @overload
    async def explain(
        self,
        text: list[str] | tuple[str, ...],
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Explanation]: ...
    async def explain(
        self,
        text: str | list[str] | tuple[str, ...] | None = None,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Explanation | list[Explanation]:
        """Which tokens decided: one explanation for a text, a list for a list; estimates go to `on_partial`.

        `options`: model, method, target, scale, granularity, seed, params (of the method), download, windows, and
        `pair` (a second text) or, with no text, `messages` (`{role, content}` each) and `add_generation_prompt`;
        priority, max_ms, max_rows (what ends early is a partial estimate) and supersede (the older one then fails).
        """
        fields = requests.explain_params(text, options, stream=on_partial is not None)
        result = await self.call("explain", fields, requests.listener(on_partial, on_progress))
        return requests.read_explanations(result, many=isinstance(text, list | tuple))

    async def evaluate(
        self,
        texts: Sequence[str | Mapping[str, Any] | tuple[str, str | int]],
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[EvaluateOptions],
    ) -> Evaluation:
        """Compare methods by metrics on texts, pairs (text, label) or maps of text, pair or messages, and label.

        `options`: model, methods, metrics, target, scale, granularity, seed, interval, precomputed, background, cheap,
        out (a folder; the same call goes on there), download; priority, max_ms, max_rows, supersede.
        """
        fields = requests.evaluate_params(texts, options)
        return read(await self.call("evaluate", fields, requests.listener(None, on_progress)), Evaluation)

    async def submit_job(self, data: str, out: str, **options: Unpack[JobOptions]) -> Job:
        """Have every row of a data set (a file, or a hub id) explained into `out` (.jsonl or .parquet).

        Answers when the data were looked at; the job goes on without this client. `options`: model, method, target,
        scale, granularity, seed, params, windows, download; split, limit, text_field, label_field, pair_field,
        id_field, slices; deterministic, engine, resume, overwrite, and `job`, an id of one's own.
        """
        return read(await self.call("jobs/submit", requests.job_params(data, out, options)), Job)

    async def list_jobs(self) -> list[Job]:
        """The jobs, newest first, also those that ended."""
        return read(await self.call("jobs/list"), Jobs).jobs

    async def job_status(self, job: str) -> Job:
        """How a job is: rows done, failed and in all, rows a second, and the seconds that are left."""
        return read(await self.call("jobs/status", {"job": job}), Job)

    async def pause_job(self, job: str) -> Job:
        """Stop a job; what was found is kept."""
        return read(await self.call("jobs/pause", {"job": job}), Job)

    async def resume_job(self, job: str) -> Job:
        """Go on with a job that is paused, or has failed."""
        return read(await self.call("jobs/resume", {"job": job}), Job)

    async def cancel_job(self, job: str) -> Job:
        """End a job and remove what it has found; an output that was finished stays."""
        return read(await self.call("jobs/cancel", {"job": job}), Job)

    async def job_results(self, job: str) -> JobResults:
        """What the rows of a finished job say together: failures, confusion, top types, overlap, slices, shortcuts."""
        return read(await self.call("jobs/results", {"job": job}), JobResults)

    async def clear_cache(self) -> Cleared:
        """Have the daemon forget all results that it keeps: the bytes that this has freed."""
        return read(await self.call("cache/clear"), Cleared)

    async def open_document(
        self,
        document: str,
        text: str,
        *,
        version: int = 0,
        on_attribution: OnAttribution | None = None,
        on_findings: OnFindings | None = None,
        on_failed: OnFailed | None = None,
        on_settled: OnSettled | None = None,
        **options: Unpack[RecordOptions],
    ) -> DocumentState:
        """Open a live document under a path or a name; what is found out about its records goes to the callbacks.

        They run on the event loop. `options`: format, language, field, pair, label;
        model, method, target, scale, granularity, seed, params, windows; low_margin, shortcut; max_ms, max_rows, until.
        """
        fields = document_params(document, options, text=text, version=version)
        self._watchers[document] = Watcher(on_attribution, on_findings, on_failed, on_settled)
        return read(await self.call("document/open", fields), DocumentState)

    async def change_document(self, document: str, base: int, version: int, edits: Sequence[Edit]) -> DocumentChanged:
        """Edit a document from version `base` to `version`, each edit in the positions that those before it leave."""
        fields = document_params(document, {}, base=base, version=version, edits=edits)
        return read(await self.call("document/change", fields), DocumentChanged)

    async def focus_document(self, document: str, version: int, at: int) -> DocumentState:
        """Have the record at a code point explained first, then those near it."""
        fields = document_params(document, {}, version=version, at=at)
        return read(await self.call("document/focus", fields), DocumentState)

    async def configure_document(self, document: str, **options: Unpack[RecordOptions]) -> DocumentState:
        """Say anew how a document is explained; `options` as for `open_document`, what is left out is the default."""
        return read(await self.call("document/configure", document_params(document, options)), DocumentState)

    async def close_document(self, document: str) -> DocumentState:
        """Close a document; nothing more is told of it."""
        self._watchers.pop(document, None)
        return read(await self.call("document/close", document_params(document, {})), DocumentState)

    async def predict(
        self,
        texts: str | Sequence[str] | None = None,
        *,
        model: str | None = None,
        top: int | None = None,
        download: bool = False,
        pair: str | Sequence[str] | None = None,
        messages: Sequence[Mapping[str, str]] | None = None,
        add_generation_prompt: bool | None = None,
        mask: Mask | Sequence[Mask | None] | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[RunOptions],
    ) -> Predictions:
        """The model's answer for each text (or pair), in order, or for the `messages` of a chat; without what a `mask`
        hides, one for all texts or a list with one for each.

        `options`: priority, max_ms, max_rows, supersede.
        """
        fields = given(model=model, top=top, download=download, add_generation_prompt=add_generation_prompt)
        fields |= requests.source(texts=texts, pair=pair, messages=messages) | requests.run_params(options)
        fields |= requests.masks(mask)
        return read(await self.call("predict", fields, requests.listener(None, on_progress)), Predictions)

    async def generate(
        self,
        text: str | None = None,
        *,
        on_written: OnWritten | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Generated:
        """What a causal language model writes behind a text, or as the answer to `messages`; `on_written` hears it.

        `options`: model, messages, add_generation_prompt, max_tokens, temperature, seed, top (likeliest tokens told at
        each place), download, keep_alive; priority, max_ms, max_rows, supersede.
        """
        fields = requests.generate_params(text, options, stream=on_written is not None)
        listen = requests.listener(None, on_progress, on_written)
        return read(await self.call("generate", fields, listen), Generated)

    async def tokenize(
        self,
        text: str | None = None,
        *,
        model: str | None = None,
        pair: str | None = None,
        messages: Sequence[Mapping[str, str]] | None = None,
        add_generation_prompt: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> Tokenized:
        """The pieces of a text, a pair or a chat that the model sees, with their spans."""
        fields = given(model=model, add_generation_prompt=add_generation_prompt)
        fields |= requests.source(text=text, pair=pair, messages=messages)
        return read(await self.call("tokenize", fields, requests.listener(None, on_progress)), Tokenized)

    async def status(self) -> Status:
        """How the daemon is; never starts a worker."""
        return read(await self.call("status"), Status)

    async def models(self) -> list[ModelInfo]:
        """Loaded and bundled models."""
        return read(await self.call("models/list"), Models).models

    async def load_model(
        self, model: str, *, on_progress: OnProgress | None = None, **options: Unpack[LoadOptions]
    ) -> ModelInfo:
        """Load a model now, so that the first explanation does not wait; how is remembered for its name.

        `options`: download, device, dtype, revision, adapter (a folder), keep_alive (seconds), check.
        """
        fields = requests.load_params(model, options)
        return read(await self.call("models/load", fields, requests.listener(None, on_progress)), ModelInfo)

    async def unload_model(self, model: str) -> Unloaded:
        """Free a model as soon as nobody uses it: whether it was loaded, and the bytes given back."""
        return read(await self.call("models/unload", given(model=model)), Unloaded)

    async def methods(self) -> list[MethodInfo]:
        """The catalogue of explanation methods."""
        return read(await self.call("methods/list"), Methods).methods

    async def ping(self) -> dict[str, Any]:
        """`{pong: true, version}`."""
        return read(await self.call("ping"), dict[str, Any])

    async def shutdown(self) -> dict[str, Any]:
        """End the daemon after the requests in flight."""
        return read(await self.call("shutdown"), dict[str, Any])

    # -- the connection ---------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the connection; calls that still wait fail, a private worker ends with it."""
        self._redial = None
        self._receiver.cancel()
        await self.closed()
        if self._failure is None:
            # Cancelled before it had begun.
            self._lose(DisconnectedError())
        if self._process is not None:
            from saliscope.protocol.launch import end_process

            await asyncio.to_thread(end_process, self._process)
            self._process = None

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _take_over(self, lost: asyncio.Task[None]) -> None:
        """A new connection in place of the lost one; calls that lost it together share the new one."""
        async with self._redialing:
            if self._receiver is not lost or self._redial is None:
                return
            self._reader, self._writer = await asyncio.open_connection(sock=await self._redial())
            self._failure = None
            self._receiver = asyncio.create_task(self._receive())
            if self._wishes:
                await self.initialize(**self._wishes)

    async def _receive(self) -> None:
        decoder = Decoder(CLIENT_LIMITS)
        failure: SaliscopeError | None = None
        try:
            while data := await self._reader.read(CHUNK):
                for frame in decoder.frames(data):
                    if isinstance(frame, Notification):
                        failure = failure or requests.failure_of(frame)
                    self._dispatch(frame)
        except FrameError as error:
            # The stream is lost to every call on it, whoever's frame it was.
            failure = DisconnectedError(f"the peer sent what cannot be read ({error.message})")
        except OSError as error:
            failure = failure or DisconnectedError(f"the connection was lost ({error.strerror})")
        finally:
            self._lose(failure or DisconnectedError())
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    def _lose(self, failure: SaliscopeError) -> None:
        self._failure = failure
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(failure)
        self._writer.close()

    def _dispatch(self, frame: Request | Response | Notification) -> None:
        if isinstance(frame, Response):
            answer = self._answers.get(frame.id)
            # A cancelled call is answered too; nobody waits for it any more.
            if answer is not None and not answer.done():
                answer.set_result(frame)
        elif isinstance(frame, Notification):
            id: Any = (frame.params or {}).get("id")
            listen = self._listeners.get(id)
            if listen is None and (watcher := watcher_of(self._watchers, frame)) is not None:
                self._tell(watcher, frame)
                return
            if listen is None:
                if self._listen is not None:
                    self._listen(frame)
                return
            try:
                listen(frame)
            except Exception as error:
                answer = self._answers[id]
                if not answer.done():
                    answer.set_exception(error)

    def _tell(self, watcher: Watcher, frame: Notification) -> None:
        try:
            watcher.hear(frame)
        except Exception as error:
            # There is no call that could fail with it.
            told = {"message": "a callback about a document failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)
