"""Verbs without a connection: what each of them would ask."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.client import Client
from saliscope.protocol.edits import Edit
from saliscope.protocol.messages import METHODS
from saliscope.protocol.parameters import Mask, Target
from saliscope.protocol.verbs import Verbs
from saliscope.protocol.verbs.verb import Call


class Recorder(Verbs):
    """A client whose verbs give what they would ask."""

    def __init__(self) -> None:
        self._watchers = {}

    def ask(self, call: Call[Any]) -> Any:
        return call


EACH: dict[str, tuple[Any, ...]] = {
    "status": (), "methods": (), "clear_cache": (), "ping": (), "shutdown": (),
    "predict": ("a",), "generate": ("a",), "tokenize": ("a",), "models": (),
    "load_model": ("m",), "unload_model": ("m",),
    "explain": ("a",), "evaluate": (["a"],),
    "submit_job": ("rows.csv", "out.jsonl"), "list_jobs": (), "job_status": ("1",), "pause_job": ("1",),
    "resume_job": ("1",), "cancel_job": ("1",), "job_results": ("1",),
    "open_document": ("a.txt", "a"), "change_document": ("a.txt", 0, 1, [Edit(0, 1, "b")]),
    "focus_document": ("a.txt", 1, 0), "configure_document": ("a.txt",), "close_document": ("a.txt",),
}  # fmt: skip


@pytest.fixture
def verbs() -> Any:
    return Recorder()


def test_every_request_of_the_wire_is_a_verb_of_both_clients(verbs: Any) -> None:
    asked = {getattr(verbs, name)(*args).method for name, args in EACH.items()}
    assert asked == METHODS.keys() - {"initialize"}
    public = {name for name in dir(Verbs) if not name.startswith("_")}
    assert public == EACH.keys()
    for client in (Client, AsyncClient):
        assert all(inspect.getdoc(getattr(client, name)) for name in public)


@pytest.mark.parametrize(
    ("name", "args"),
    [(name, EACH[name]) for name in ("explain", "evaluate", "predict", "generate", "load_model", "submit_job")]
    + [("open_document", EACH["open_document"]), ("configure_document", EACH["configure_document"])],
)
def test_a_misspelt_option_is_a_type_error_that_names_the_verb(verbs: Any, name: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'modle'"):
        getattr(verbs, name)(*args, modle="m")


def test_paths_are_sent_whole_and_names_as_they_are(
    verbs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "demo-encoder").mkdir()
    here = str(tmp_path / "mine")
    assert verbs.explain("a", model="mine", params={"lm_head_from": "mine"}).params == {
        "text": "a", "stream": False, "model": here, "params": {"lm_head_from": here}
    }  # fmt: skip
    assert verbs.predict("a", model="demo-encoder").params == {"texts": "a", "model": "demo-encoder"}
    assert verbs.load_model("mine", adapter="lora").params == {"model": here, "adapter": str(tmp_path / "lora")}
    job = verbs.submit_job("rows.csv", "out.jsonl", job="1").params
    assert job == {"job": "1", "data": str(tmp_path / "rows.csv"), "out": str(tmp_path / "out.jsonl")}
    assert verbs.submit_job("stanfordnlp/sst2", "out.jsonl").params["data"] == "stanfordnlp/sst2"


def test_messages_go_out_as_plain_values(verbs: Any) -> None:
    masks = [Mask([(0, 1)]), None]
    predicted = verbs.predict(("a", "b"), mask=masks, messages=None).params
    assert predicted == {"texts": ["a", "b"], "mask": [{"spans": [(0, 1)], "kind": "replace"}, None]}
    target = Target(label="positive")
    assert verbs.open_document("a.txt", "a", target=target).params["target"] == {"label": "positive"}
    assert verbs.submit_job("x", "y", target=target, slices=("length",)).params["slices"] == ["length"]
    changed = verbs.change_document("a.txt", 0, 1, [Edit(0, 1, "b")]).params
    assert changed == {"document": "a.txt", "base": 0, "version": 1, "edits": [{"start": 0, "end": 1, "text": "b"}]}
