"""A process that people leave running: 500 mixed requests leave memory and model as they were."""

from __future__ import annotations

import random

import pytest

from saliscope.protocol.client import Client

WORDS = ["the", "plot", "cast", "film", "is", "was", "dull", "funny", "warm", "mess", "but", "not", "映画", "🎬", "."]
MODELS = ("demo-decoder", "demo-encoder")


@pytest.mark.load
@pytest.mark.timeout(1200)
def test_memory_is_flat_over_500_mixed_requests_and_the_models_are_unchanged(client: Client) -> None:
    rng = random.Random(0)
    resident: list[int] = []
    before = {name: client.load_model(name) for name in MODELS}
    fits = {
        name: [method.name for method in client.methods() if {*method.needs} <= {*info.capabilities}]
        for name, info in before.items()
    }
    assert all(len(names) > 20 for names in fits.values())
    for number in range(1, 501):
        model = rng.choice(MODELS)
        text = " ".join(rng.choices(WORDS, k=rng.randint(1, 16)))
        client.explain(text, model=model, method=rng.choice(fits[model]), granularity=rng.choice(["token", "word"]))
        if number >= 100 and number % 50 == 0:
            resident.append(client.status().memory["workers_rss"])
    assert max(resident) <= resident[0] * 1.02
    assert {name: client.load_model(name).fingerprint for name in MODELS} == {
        name: info.fingerprint for name, info in before.items()
    }
