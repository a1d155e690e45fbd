"""Whoever says something, it comes out as one line of JSON that names its process."""

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

START_FAILED = """
from chancery.domain.errors import Unavailable
logs.start_failed(Unavailable('no key', rule='r', remedy='wait'))
"""


def said(code: str) -> list[dict[str, Any]]:
    """Run *code* in a process that has its logs configured; return what it wrote."""
    head = "import logging, threading, warnings\nfrom chancery.app import logs\nimport structlog\n"
    program = head + "logs.configure('jobs')\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        (
            "structlog.get_logger('jobs').warning('job.failed', job='crl', error=ValueError('x'))",
            {"event": "job.failed", "level": "warning", "job": "crl", "error": "ValueError('x')"},
        ),
        (
            "logging.getLogger('chancery.x').error('no CRL for %s', 'root\\n')",
            {"event": "no CRL for root\n", "level": "error"},
        ),
        ("warnings.warn('soon gone')", {"level": "warning"}),
        ("structlog.get_logger().info('a', time=1, component='b')", {"event": "a"}),
        (
            START_FAILED,
            {"event": "start-failed", "error": "no key", "rule": "r", "remedy": "wait"},
        ),
        ("logs.start_failed(OSError('x'))", {"event": "start-failed", "error": "x"}),
    ],
)
def test_one_line(code: str, facts: dict[str, Any]) -> None:
    (line,) = said(code)

    assert list(line)[:3] == ["time", "component", "event"]
    assert line["component"] == "jobs"
    assert line["time"] > 1_700_000_000_000
    assert {key: line[key] for key in facts} == facts


@pytest.mark.parametrize(
    "code",
    [
        "try: 1 / 0\nexcept ZeroDivisionError: logging.getLogger().exception('failed')",
        "try: 1 / 0\nexcept ZeroDivisionError: structlog.get_logger().exception('failed')",
        "1 / 0",
        "t = threading.Thread(target=lambda: 1 / 0, name='lint'); t.start(); t.join()",
    ],
)
def test_a_stack_trace_is_a_fact(code: str) -> None:
    (line,) = said(code)

    assert line["component"] == "jobs"
    assert "ZeroDivisionError" in line["exception"]


def test_debugging_is_not_told() -> None:
    assert said("structlog.get_logger().debug('x'); logging.getLogger('y').debug('z')") == []
