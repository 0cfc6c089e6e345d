"""Where pygls 2.1.1 does not do what an editor needs: each work-around with its reason, and when it can go."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Generator
from contextvars import copy_context
from itertools import count
from typing import Any, BinaryIO, Final

from lsprotocol import types
from pygls.exceptions import FeatureNotificationError, FeatureRequestError, JsonRpcException, JsonRpcInternalError
from pygls.io_ import StdoutWriter
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from saliscope.lsp.pipes import is_pipe, read_pipe
from saliscope.lsp.plain import Plain, decoded, encoded
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)
Handling = Generator[Any, Any, Any]

#: LSPErrorCodes.RequestFailed: nothing is wrong with the server.
REQUEST_FAILED: Final = -32803
_EDITS: Final = (types.TEXT_DOCUMENT_DID_OPEN, types.TEXT_DOCUMENT_DID_CHANGE, types.TEXT_DOCUMENT_DID_CLOSE)
_DRAWN: Final = (
    types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL_DELTA,
    types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE,
)  # fmt: skip
_NUDGE: Final = "nudge-"


class Protocol(LanguageServerProtocol):
    """Can go, method by method, with the first pygls that behaves as the docstrings here say."""

    _nudges = count(1)

    def handle_message(self, message: Any) -> None:
        """Documents are kept in `buffers.py` alone, and edits handled at once. pygls cuts lines where `str.splitlines`
        does (U+2028, form feed, …), which editors do not; it moves a column behind its line to the last character but
        one; it copies all lines for each keystroke; and it keeps a future of each edit for good. Can go when
        `TextDocument.lines` follows the specification, and nothing is left of a notification that was handled.
        """
        method = getattr(message, "method", None)
        if self._shutdown and method is not None and hasattr(message, "id"):
            # As the specification has it; pygls answers with nothing.
            told = types.ResponseError(types.ErrorCodes.InvalidRequest.value, "the server is shutting down")
            self._send_response(message.id, error=told)
        elif message.jsonrpc != self.VERSION or self._shutdown or (method is None and not hasattr(message, "result")):
            super().handle_message(message)
        elif method in _EDITS:
            try:
                self.fm.features[method](message.params)
            except Exception as error:
                log.exception("%s failed", method)
                self._server.report_server_error(error, FeatureNotificationError)
        else:
            copy_context().run(self._hand_on, message, method)

    def _hand_on(self, message: Any, method: str | None) -> None:
        """Requests, notifications and answers by what they have. pygls asks whether they are of a class that is made
        for each question, which takes as long as the rest of its work. Can go with Python 3.11, where that is so.
        """
        if method is None:
            self._handle_response(message.id, message.result)
        elif method in _DRAWN:
            self._answer_at_once(message.id, method, message.params)
        elif hasattr(message, "id"):
            self._handle_request(message.id, method, message.params)
        else:
            self._handle_notification(method, message.params)

    def _answer_at_once(self, id: str | int, method: str, params: Any) -> None:
        """What is asked with every keystroke, and known. pygls makes a future of it, with its callbacks, and looks
        four times what kind of function answers; can go when that takes no longer than the answer.
        """
        try:
            result = self.fm.features[method](params)
        except Exception as error:
            log.exception("%s failed", method)
            self._send_response(id, error=JsonRpcInternalError(f"{type(error).__name__}: {error}").to_response_error())
            self._server.report_server_error(error, FeatureRequestError)
        else:
            self._send_response(id, result)

    def nudge(self, method: str) -> None:
        """Have the client ask again for something; its answer says nothing. As for what is asked."""
        self._send_data({"jsonrpc": self.VERSION, "id": f"{_NUDGE}{next(self._nudges)}", "method": method})

    def read(self, body: bytes) -> None:
        """Handle a message of the client. pygls takes each map in it for a message that has a key `jsonrpc`, and
        looks for one in Python; can go when it looks at the outermost one.
        """
        try:
            found = decoded(body)
            if "method" in found or not str(found.get("id")).startswith(_NUDGE):
                self.handle_message(self.structure_message(found))
        except Exception as error:
            log.exception("a message cannot be read")
            self._server.report_server_error(error, JsonRpcException)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(self, params: types.ExecuteCommandParams) -> Any:  # type: ignore[override]
        """A cancelled command ends; it also gets its progress token, and arguments may be left out. pygls runs it as
        an inner task with a random id, so that `$/cancelRequest` answers the client and leaves the command running.
        Can go when the inner task is cancelled with the outer one.
        """
        handler = self.fm.commands.get(params.command)
        if handler is None:
            raise _failed("bad_request", f"there is no command {params.command!r}")
        try:
            return Plain(await handler(params.arguments or [], params.work_done_token))
        except SaliscopeError as error:
            raise _failed(error.code, f"{error.message}. {error.advice}") from error

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Handling:
        """Shuts down with requests in flight. pygls iterates over the table of requests while each one that it cancels
        takes itself out, and answers with an internal error. Can go when it iterates over a copy.
        """
        handler = self.fm.features.get(types.SHUTDOWN)
        if handler is not None:
            yield handler, args, None
        own = self.msg_id
        for id, future in list(self._request_futures.items()):
            if id != own and not future.done():
                future.cancel()
        self._shutdown = True
        return None

    def _handle_response(
        self, msg_id: str | int, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        """An answer that nobody waits for any more is let go. pygls raises InvalidStateError for one to a request that
        was cancelled or timed out here. Can go when it looks whether the future is done.
        """
        future = self._request_futures.get(msg_id)
        if future is not None and future.done():
            del self._request_futures[msg_id]
            return
        super()._handle_response(msg_id, result, error)

    def _handle_cancel_notification(self, msg_id: str | int) -> None:
        """An answer and its cancelling may cross on their way, which is told in no log: editors cancel with nearly
        every keystroke. Can go when pygls does not warn of it.
        """
        if msg_id in self._request_futures:
            super()._handle_cancel_notification(msg_id)

    @property
    def is_shut_down(self) -> bool:
        """Whether the client has said `shutdown`; pygls exits with 0 also when it has not."""
        return bool(self._shutdown)

    def _send_data(self, data: Any) -> None:
        """A client that has gone is no error of ours: pygls raises BrokenPipeError into whatever handler writes, and
        logs the message with its text. Can go when a lost client ends the server's loop. What is JSON already is
        written by msgspec, in a fifth of the time.
        """
        try:
            if isinstance(data, dict) and self.writer is not None:
                body = encoded(data)
                self.writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            else:
                super()._send_data(data)
        except BrokenPipeError:
            log.info("the client has gone")

    def _send_response(
        self, msg_id: str | int, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        """An answer that is JSON already is sent as it is. pygls has cattrs go through it, which takes ten times as
        long as writing it. Can go when a handler can answer with JSON.
        """
        if error is None and isinstance(result, Plain):
            self._result_types.pop(msg_id, None)
            self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "result": result.value})
        else:
            super()._send_response(msg_id, result, error)

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """Notify the client of what is JSON already; as for answers."""
        self._send_data({"jsonrpc": self.VERSION, "method": method, "params": params})


class Server(LanguageServer):
    """Reports its own errors to the log. pygls shows a pop-up for each exception in the handler of a notification;
    can go when that is an option.
    """

    protocol: Protocol

    def start_pipes(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        """Serve a client on two pipes until it leaves, reading on the loop. pygls reads on threads, and hands each
        message over three times. Can go when it does not.
        """
        if not is_pipe(stdin, stdout):
            self.start_io(stdin, stdout)
            return
        self._stop_event = threading.Event()
        self.protocol.set_writer(StdoutWriter(stdout))
        try:
            asyncio.run(read_pipe(stdin, self.protocol.read))
        except (KeyboardInterrupt, SystemExit):
            # `exit` ends so too.
            pass
        finally:
            self.shutdown()  # type: ignore[no-untyped-call]

    def report_server_error(self, error: Exception, source: Any) -> None:
        """One line of log, without what the message may quote."""
        log.error("%s: %s", getattr(source, "__name__", source), type(error).__name__)


class Discreet(logging.Formatter):
    """No texts in the log: pygls logs whole messages, parameters, and tracebacks whose last line may quote one.

    Of a record of pygls the template stays without its arguments; of any exception its type and frames. Can go when
    pygls logs methods and ids only.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        # Another handler may have left its text of the exception.
        own: dict[str, object] = {"exc_text": None}
        if record.name.startswith("pygls"):
            own["args"] = ()
        elif record.name == "asyncio":
            # What follows the first line are representations of tasks, errors and all.
            own["msg"] = str(record.msg).partition("\n")[0]
        return super().format(logging.makeLogRecord({**record.__dict__, **own}))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """Type and frames."""
        return f"{''.join(traceback.format_tb(ei[2]))}{ei[0].__name__}"


def _failed(code: str, message: str) -> Exception:
    return JsonRpcException(message=message, code=REQUEST_FAILED, data={"code": code})
