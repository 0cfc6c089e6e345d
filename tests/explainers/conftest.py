from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from saliscope.explainers import load
from tests.explainers import tiny

# Tiny models: threads would only wait for each other.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test meets, or leaves, what is kept for the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SALISCOPE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> tiny.Builder:
    """A folder with a tiny model: `tiny_folder("bert")`, `tiny_folder("llama", "ForCausalLM")`."""
    root = tmp_path_factory.mktemp("tiny")
    made: dict[Any, Path] = {}

    def make(architecture: str, task: str = "ForSequenceClassification", **overrides: Any) -> Path:
        key = (architecture, task, repr(sorted(overrides.items())))
        if key not in made:
            folder = root / f"{architecture}-{len(made)}"
            made[key] = tiny.save(tiny.build(architecture, task, **overrides), folder, architecture in tiny.DECODERS)
        return made[key]

    return make


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: tiny.Builder) -> Any:
    """A loaded tiny model: `tiny_model("bert", attention="eager")`."""
    loaded: dict[Any, Any] = {}

    def make(architecture: str, task: str = "ForSequenceClassification", attention: str | None = None) -> Any:
        key = (architecture, task, attention)
        if key not in loaded:
            loaded[key] = load(str(tiny_folder(architecture, task)), "cpu", attention=attention)
        return loaded[key]

    return make


@pytest.fixture(scope="session")
def demo_encoder() -> Any:
    return load("demo-encoder", "cpu")


@pytest.fixture(scope="session")
def demo_decoder() -> Any:
    return load("demo-decoder", "cpu")


@pytest.fixture
def copied(tiny_folder: Any, tmp_path: Path) -> Any:
    """A folder of one's own with a tiny model, to damage."""

    def make(architecture: str = "bert", task: str = "ForSequenceClassification") -> Path:
        folder = tmp_path / f"{architecture}{task}"
        shutil.copytree(tiny_folder(architecture, task), folder)
        return folder

    return make


@pytest.fixture
def model(request: pytest.FixtureRequest, demo_encoder: Any, demo_decoder: Any, tiny_model: Any) -> Any:
    """The bundled or tiny model of a parameter."""
    demo = {"demo-encoder": demo_encoder, "demo-decoder": demo_decoder}
    return demo.get(request.param) or tiny_model(request.param)
