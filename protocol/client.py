"""The synchronous client: one connection, one call at a time, light to import."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

from saliscope.protocol import requests
from saliscope.protocol.codec import (
    CHUNK,
    CLIENT_LIMITS,
    Decoder,
    FrameError,
    Notification,
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


class Client:
    """Speaks to a daemon (or to a private worker, whose process then ends with the client) over a socket.

    Every verb raises `SaliscopeError`; interrupting one (Ctrl-C, or an error in a callback) cancels its request.
    With `redial`, a client that has lost its daemon takes the connection of the one that `redial` makes, and asks
    there again what may be asked again.
    """

    def __init__(self, sock: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self._socket = sock
        self._process = process
        self.redial: Callable[[], Client] | None = None
        self._wishes: dict[str, Any] = {}
        self._watchers: dict[str, Watcher] = {}
        self._decoder = Decoder(CLIENT_LIMITS)
        self._last_id = 0
        self._is_open = True
        #: The version of the daemon, as it answered `initialize`.
        self.peer_version = ""
        # Only writing is shared: `cancel` may come from another thread while `call` waits.
        self._write_lock = threading.Lock()

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        on_notification: OnNotification | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send one request and wait for its result; notifications about it go to `on_notification` meanwhile.

        Raises the daemon's error, `unavailable` if the connection is lost, `timeout` after `timeout` seconds of
        silence. A daemon that is lost is replaced, if this client may do that.
        """
        num_lost = 0
        while True:
            try:
                return self._ask(method, params, on_notification, timeout)
            except SaliscopeError as error:
                if self.redial is None or not may_repeat(method, error, num_lost):
                    raise
            num_lost += 1
            if on_notification is not None:
                on_notification(asked_again(self._last_id))
            self._take_over(self.redial())

    def _ask(
        self, method: str, params: dict[str, Any] | None, on_notification: OnNotification | None, timeout: float | None
    ) -> Any:
        frame = encode_request(self._last_id + 1, method, params or {})
        self._last_id += 1
        id = self._last_id
        self._send(frame, timeout)
        try:
            response = self._receive(id, on_notification)
        except BaseException:
            if self._is_open:
                self.cancel(id)
            raise
        if response.error is not None:
            raise SaliscopeError.from_wire(response.error)
        return response.result

    def cancel(self, id: int) -> None:
        """Ask for the end of a request (`id` as partials and progress carry it); it answers with `cancelled`."""
        self._send(encode_notification("$/cancel", {"id": id}), self._socket.gettimeout())

    # -- verbs ------------------------------------------------------------------------------------

    def initialize(self, *, client: str = "saliscope", timeout: float | None = None, **params: Any) -> Initialized:
        """Open the session: array errors and notifications, unless `params` (of `Initialize`) say otherwise."""
        from saliscope import __version__

        fields = {"client": client, "version": __version__, **params}
        self._wishes = params
        try:
            answer = read(self.call("initialize", fields, timeout=timeout), Initialized)
        except SaliscopeError as error:
            self.peer_version = str(error.data.get("version", ""))
            raise
        self.peer_version = answer.version
        return answer

    @property
    def is_current(self) -> bool:
        """Whether the daemon has said that it is of our version."""
        from saliscope import __version__

        return self.peer_version == __version__

    @overload
    def explain(
        self,
        text: str | None = None,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Explanation: ...
    @overload
    def explain(
        self,
        text: list[str] | tuple[str, ...],
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Explanation]: ...
    def explain(
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
        result = self.call("explain", fields, requests.listener(on_partial, on_progress))
        return requests.read_explanations(result, many=isinstance(text, list | tuple))

    def evaluate(
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
        return read(self.call("evaluate", fields, requests.listener(None, on_progress)), Evaluation)

    def submit_job(self, data: str, out: str, **options: Unpack[JobOptions]) -> Job:
        """Have every row of a data set (a file, or a hub id) explained into `out` (.jsonl or .parquet).

        Answers when the data were looked at; the job goes on without this client. `options`: model, method, target,
        scale, granularity, seed, params, windows, download; split, limit, text_field, label_field, pair_field,
        id_field, slices; deterministic, engine, resume, overwrite, and `job`, an id of one's own.
        """
        return read(self.call("jobs/submit", requests.job_params(data, out, options)), Job)

    def list_jobs(self) -> list[Job]:
        """The jobs, newest first, also those that ended."""
        return read(self.call("jobs/list"), Jobs).jobs

    def job_status(self, job: str) -> Job:
        """How a job is: rows done, failed and in all, rows a second, and the seconds that are left."""
        return read(self.call("jobs/status", {"job": job}), Job)

    def pause_job(self, job: str) -> Job:
        """Stop a job; what was found is kept."""
        return read(self.call("jobs/pause", {"job": job}), Job)

    def resume_job(self, job: str) -> Job:
        """Go on with a job that is paused, or has failed."""
        return read(self.call("jobs/resume", {"job": job}), Job)

    def cancel_job(self, job: str) -> Job:
        """End a job and remove what it has found; an output that was finished stays."""
        return read(self.call("jobs/cancel", {"job": job}), Job)

    def job_results(self, job: str) -> JobResults:
        """What the rows of a finished job say together: failures, confusion, top types, overlap, slices, shortcuts."""
        return read(self.call("jobs/results", {"job": job}), JobResults)

    def clear_cache(self) -> Cleared:
        """Have the daemon forget all results that it keeps: the bytes that this has freed."""
        return read(self.call("cache/clear"), Cleared)

    def open_document(
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

        They are called while any call, or `listen`, waits. `options`: format, language, field, pair, label;
        model, method, target, scale, granularity, seed, params, windows; low_margin, shortcut; max_ms, max_rows, until.
        """
        fields = document_params(document, options, text=text, version=version)
        self._watchers[document] = Watcher(on_attribution, on_findings, on_failed, on_settled)
        return read(self.call("document/open", fields), DocumentState)

    def change_document(self, document: str, base: int, version: int, edits: Sequence[Edit]) -> DocumentChanged:
        """Edit a document from version `base` to `version`, each edit in the positions that those before it leave."""
        fields = document_params(document, {}, base=base, version=version, edits=edits)
        return read(self.call("document/change", fields), DocumentChanged)

    def focus_document(self, document: str, version: int, at: int) -> DocumentState:
        """Have the record at a code point explained first, then those near it."""
        fields = document_params(document, {}, version=version, at=at)
        return read(self.call("document/focus", fields), DocumentState)

    def configure_document(self, document: str, **options: Unpack[RecordOptions]) -> DocumentState:
        """Say anew how a document is explained; `options` as for `open_document`, what is left out is the default."""
        return read(self.call("document/configure", document_params(document, options)), DocumentState)

    def close_document(self, document: str) -> DocumentState:
        """Close a document; nothing more is told of it."""
        self._watchers.pop(document, None)
        return read(self.call("document/close", document_params(document, {})), DocumentState)

    def predict(
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
        return read(self.call("predict", fields, requests.listener(None, on_progress)), Predictions)

    def generate(
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
        return read(self.call("generate", fields, listen), Generated)

    def tokenize(
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
        return read(self.call("tokenize", fields, requests.listener(None, on_progress)), Tokenized)

    def status(self) -> Status:
        """How the daemon is; never starts a worker."""
        return read(self.call("status"), Status)

    def models(self) -> list[ModelInfo]:
        """Loaded and bundled models."""
        return read(self.call("models/list"), Models).models

    def load_model(
        self, model: str, *, on_progress: OnProgress | None = None, **options: Unpack[LoadOptions]
    ) -> ModelInfo:
        """Load a model now, so that the first explanation does not wait; how is remembered for its name.

        `options`: download, device, dtype, revision, adapter (a folder), keep_alive (seconds), check.
        """
        fields = requests.load_params(model, options)
        return read(self.call("models/load", fields, requests.listener(None, on_progress)), ModelInfo)

    def unload_model(self, model: str) -> Unloaded:
        """Free a model as soon as nobody uses it: whether it was loaded, and the bytes given back."""
        return read(self.call("models/unload", given(model=model)), Unloaded)

    def methods(self) -> list[MethodInfo]:
        """The catalogue of explanation methods."""
        return read(self.call("methods/list"), Methods).methods

    def ping(self) -> dict[str, Any]:
        """`{pong: true, version}`."""
        return read(self.call("ping"), dict[str, Any])

    def shutdown(self) -> dict[str, Any]:
        """End the daemon after the requests in flight."""
        return read(self.call("shutdown"), dict[str, Any])

    def listen(self, timeout: float | None = None) -> bool:
        """Wait for news of open documents, for their callbacks; False if nothing came within `timeout` seconds."""
        if not self._is_open:
            raise DisconnectedError("this client is closed")
        # What came behind an answer has been read already.
        news = [*self._decoder.frames(b"")]
        self._socket.settimeout(timeout)
        while not news:
            try:
                data = self._socket.recv(CHUNK)
            except TimeoutError:
                return False
            except OSError as error:
                self._lose()
                raise DisconnectedError from error
            if not data:
                self._lose()
                raise DisconnectedError
            news += self._decoder.frames(data)
        for frame in news:
            if isinstance(frame, Notification):
                self._hear(frame)
        return True

    # -- the connection ---------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection; a private worker ends with it."""
        self.redial = None
        self._lose()

    def _lose(self) -> None:
        self._is_open = False
        self._socket.close()
        if self._process is not None:
            from saliscope.protocol.launch import end_process

            end_process(self._process)
            self._process = None

    def detach(self) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        """Give the socket (and the private worker's process) away; the client is closed then."""
        self._is_open = False
        return self._socket, self._process

    def _take_over(self, fresh: Client) -> None:
        """Go on with the connection of another client."""
        self._lose()
        self._socket, self._process = fresh.detach()
        self._decoder = Decoder(CLIENT_LIMITS)
        self._is_open, self.peer_version = True, fresh.peer_version
        if self._wishes:
            self.initialize(**self._wishes)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, frame: bytes, timeout: float | None) -> None:
        if not self._is_open:
            raise DisconnectedError("this client is closed")
        try:
            with self._write_lock:
                self._socket.settimeout(timeout)
                self._socket.sendall(frame)
        except BaseException as error:
            # Half a frame may be out: nothing sensible can follow it.
            self._lose()
            if isinstance(error, OSError):
                raise DisconnectedError from error
            raise

    def _receive(self, id: int, on_notification: OnNotification | None) -> Response:
        failure: SaliscopeError | None = None
        while True:
            try:
                data = self._socket.recv(CHUNK)
            except TimeoutError as error:
                raise SaliscopeError("timeout", "the daemon did not answer in time") from error
            except OSError as error:
                self._lose()
                raise failure or DisconnectedError() from error
            if not data:
                self._lose()
                raise failure or DisconnectedError()
            try:
                for frame in self._decoder.frames(data):
                    if isinstance(frame, Response) and frame.id == id:
                        return frame
                    if isinstance(frame, Notification):
                        failure = failure or requests.failure_of(frame)
                        self._hear(frame)
                        if on_notification is not None and requests.is_about(frame, id):
                            on_notification(frame)
            except FrameError:
                self._lose()
                raise

    def _hear(self, frame: Notification) -> None:
        watcher = watcher_of(self._watchers, frame)
        if watcher is not None:
            watcher.hear(frame)
