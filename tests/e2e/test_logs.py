"""What a served instance says, from its first line to its last."""

import json
from pathlib import Path
from typing import Any

from services.foreign import wait_for
from services.instance import Instance


def linted(instance: Instance) -> bool:
    """Whether the full linter has seen the certificates that a new instance has."""
    found = instance.json("certificate", "list", "--all", user="auditor")
    return all(
        not instance.json(
            "certificate", "lint", one["serial"], "--authority", one["authority"], user="auditor"
        )["waiting"]
        for one in found
    )


def test_every_line_names_its_process(tmp_path: Path) -> None:
    instance = Instance.create(tmp_path / "logs")

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in instance.log.read_text().splitlines()]

    def ready() -> set[str]:
        return {line["component"].split("-")[0] for line in lines() if line["event"] == "ready"}

    with instance.serving():
        wait_for(lambda: "jobs" in ready(), seconds=20, what="the last process to be ready")
        wait_for(lambda: linted(instance), seconds=30, what="the linter to have seen everything")

    assert ready() == {"signer", "worker", "jobs"}
    names = [line["component"] for line in lines() if line["event"] == "ready"]
    assert len(names) == len(set(names))
    assert {line["component"] for line in lines()} <= {*names, "supervisor"}
    assert all({"time", "component", "event"} <= line.keys() for line in lines())
    ports = {instance.facts[name].rpartition(":")[2] for name in ("http", "https")}
    told = [line["urls"] for line in lines() if "urls" in line]
    assert told
    assert all({url.rpartition(":")[2] for url in urls} == ports for urls in told)
    loud = [line for line in lines() if line.get("level") in {"warning", "error", "critical"}]
    assert not loud
