"""Message templates in a small part of Jinja2: values, conditions, loops, and a few filters.

Who edits a template must be able neither to reach anything but the values it
is given nor to keep the machine busy.  So what it may contain is listed, and
nothing in the list can multiply: no calls, no assignments, no arithmetic.
"""

import functools
import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from chancery.domain.errors import BadRequest
from chancery.domain.notification import Message, MessageTemplate

_MAX_SOURCE: Final = 20_000  # characters of one template
_MAX_OUTPUT: Final = 200_000
_MAX_DEPTH: Final = 2  # loops in loops
_NODES: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem,
    nodes.Const, nodes.If, nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.Not, nodes.And, nodes.Or, nodes.CondExpr,
)  # fmt: skip
_FILTERS: Final = frozenset(
    {"default", "upper", "lower", "length", "join", "first", "last", "when"}
)
# What goes wrong while values meet a template that does not fit them.
_WRONG: Final = (TemplateError, ValueError, TypeError, ArithmeticError, LookupError, OSError)
_TESTS: Final = frozenset({"defined", "undefined", "none"})
_LINK: Final = re.compile(r"https://[^\s<>\"']+")  # on text that is escaped already


class JinjaRenderer:
    """``ports_work.Renderer``.  Safe for concurrent use."""

    def __init__(self) -> None:
        self._text = _environment(escape=False)
        self._html = _environment(escape=True)

    def render(self, template: MessageTemplate, values: Mapping[str, Any]) -> Message:
        subject = self._fill(self._text, "subject", template.subject, values)
        text = self._fill(self._text, "text", template.text, values)
        if template.html is None:
            ours = str(values.get("base_url", ""))
            return Message(_one_line(subject), text, _page(_paragraphs(text, ours)))
        body = self._fill(self._html, "html", template.html, values)
        return Message(_one_line(subject), text, _page(body))

    def _fill(
        self,
        environment: ImmutableSandboxedEnvironment,
        field: str,
        source: str,
        values: Mapping[str, Any],
    ) -> str:
        try:
            compiled = _compile(environment, source)
            parts, length = [], 0
            for part in compiled.generate(dict(values)):
                length += len(part)
                if length > _MAX_OUTPUT:
                    raise ValueError(f"it becomes longer than {_MAX_OUTPUT} characters")
                parts.append(part)
        except TemplateSyntaxError as error:
            raise _bad(field, f"line {error.lineno}: {error.message}") from None
        except (
            TemplateError,
            ValueError,
            TypeError,
            ArithmeticError,
            LookupError,
            OSError,
        ) as error:
            raise _bad(field, str(error)) from None
        except RecursionError:
            raise _bad(field, "it is nested too deeply") from None
        return "".join(parts)


@functools.lru_cache(maxsize=64)
def _compile(environment: ImmutableSandboxedEnvironment, source: str) -> Any:
    if len(source) > _MAX_SOURCE:
        raise ValueError(f"it is longer than {_MAX_SOURCE} characters")
    tree = environment.parse(source)
    _inspect(tree, 0)
    return environment.from_string(tree)


def _inspect(node: nodes.Node, depth: int) -> None:
    if type(node) not in _NODES:
        raise _at(node, f"{type(node).__name__} is not possible in a template")
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        raise _at(node, f"there is no filter {node.name!r} here: {', '.join(sorted(_FILTERS))}")
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        raise _at(node, f"there is no test {node.name!r} here: {', '.join(sorted(_TESTS))}")
    if isinstance(node, nodes.Name) and node.name == "self":  # Jinja's own: the template
        raise _at(node, "there is no value 'self'")
    if isinstance(node, nodes.For):
        depth += 1
        if depth > _MAX_DEPTH or node.recursive:
            raise _at(node, f"loops go {_MAX_DEPTH} deep")
    for child in node.iter_child_nodes():
        _inspect(child, depth)


def _at(node: nodes.Node, message: str) -> TemplateSyntaxError:
    return TemplateSyntaxError(message, node.lineno or 1)


def _environment(*, escape: bool) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        autoescape=escape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, auto_reload=False, cache_size=0,
    )  # fmt: skip
    made.globals.clear()
    made.filters["when"] = _when
    return made


def _when(seconds: int) -> str:
    """A time of the record as people read it."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")


def _bad(field: str, why: str) -> BadRequest:
    return BadRequest(
        f"the template cannot be filled in: {why}"[:400],
        field=field,
        rule="template.renders",
        remedy="`chancery notification template show EVENT` lists the values there are",
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _paragraphs(text: str, base_url: str) -> str:
    """Plain text as HTML: paragraphs and lines.

    Only addresses below *base_url* can be clicked on: what else looks like one
    came from a stranger's request.
    """

    def linked(found: re.Match[str]) -> str:
        address = found[0]
        if not base_url or not address.startswith(base_url + "/"):
            return address
        return f'<a href="{address}">{address}</a>'

    blocks = (html.escape(block, quote=False) for block in re.split(r"\n\s*\n", text.strip()))
    shown = (_LINK.sub(linked, block).replace("\n", "<br>\n") for block in blocks)
    return "\n".join(f"<p>{block}</p>" for block in shown)


def _page(body: str) -> str:
    return str(
        Markup(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"></head>\n'
            "<body>\n{}\n</body></html>\n"
        ).format(Markup(body))  # noqa: S704 - escaped by us, or by the template's own environment
    )
