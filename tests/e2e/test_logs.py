"""What a served instance says, from its first line to its last."""

import json
from pathlib import Path
from typing import Any

from services.foreign import wait_for
from services.instance import Instance


def test_every_line_names_its_process(tmp_path: Path) -> None:
    instance = Instance.create(tmp_path / "logs")

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in instance.log.read_text().splitlines()]

    def ready() -> set[str]:
        return {line["component"].split("-")[0] for line in lines() if line["event"] == "ready"}

    with instance.serving():
        wait_for(lambda: "jobs" in ready(), seconds=20, what="the last process to be ready")

    assert ready() == {"signer", "worker", "jobs"}
    names = [line["component"] for line in lines() if line["event"] == "ready"]
    assert len(names) == len(set(names))
    assert {line["component"] for line in lines()} <= {*names, "supervisor"}
    assert all({"time", "component", "event"} <= line.keys() for line in lines())
    ports = {instance.facts[name].rpartition(":")[2] for name in ("http", "https")}
    told = [line["urls"] for line in lines() if "urls" in line]
    assert told
    assert all({url.rpartition(":")[2] for url in urls} == ports for urls in told)
