"""The simulation at a size that takes a moment."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from bench import scale_page, simulate

from saliscope.daemon.worker.scheduling.level import Level


def test_every_request_ends_on_the_device_of_its_client_and_time_adds_up() -> None:
    ended: list[simulate.Request] = []
    simulation = simulate.Simulation(3, ended.append)
    asked = [simulate.Request(at % 7, Level(at % 3), 1 + at, 20, "evaluate", 0.1 * at) for at in range(40)]
    for request in asked:
        simulation.at(request.at, partial(simulation.ask, request))
    simulation.run(1e6)
    assert set(ended) == set(asked)
    assert all(request.done == request.rows for request in asked)
    assert sum(device.tokens for device in simulation.devices) == sum(request.cost for request in asked)
    assert sum(simulation.had.values()) == sum(request.cost for request in asked)
    assert all(device.owed == 0 for device in simulation.devices)


def test_a_short_request_behind_a_long_one_waits_far_less_than_first_come_first_served() -> None:
    ours, first_come = simulate.overtaking(50)
    assert ours < first_come / 10


def test_jain_is_one_where_all_have_the_same() -> None:
    assert simulate.jain([3, 3, 3]) == 1.0
    assert simulate.jain([1, 0, 0, 0]) == 0.25


def test_tables_go_between_their_markers_or_nowhere(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one -->\nold\n<!-- /one -->\nb\n")
    scale_page.write(page, {"one": "| new |"})
    scale_page.write(page, {"one": "| newer |"})
    assert page.read_text() == "a\n<!-- one -->\n| newer |\n<!-- /one -->\nb\n"
    with pytest.raises(ValueError, match="two"):
        scale_page.write(page, {"two": ""})


def test_the_time_of_a_data_set_is_its_rows_over_the_speed() -> None:
    table = scale_page.sizing_table({1: (6500.0, 1.0), 10: (65_000.0, 1.0)}).splitlines()
    assert table[0] == "| method | rows a text | texts/s on one device | 1,000,000 texts on 1 | 1,000,000 texts on 10 |"
    # 1,000,000 texts x 65 rows x 64 tokens at 6,500 tokens/s are 640,000 s.
    assert "| `occlusion` | 65 | 1.6 | 7 days | 17.8 h |" in table
