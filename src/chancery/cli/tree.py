"""Authorities below one another."""

from collections.abc import Sequence

from chancery.cli import output
from chancery.cli.client import Json
from chancery.cli.text import clean


def nested(items: Sequence[Json]) -> list[Json]:
    """Return the roots, each with what is below it under ``children``."""
    known = {item["name"] for item in items}

    def below(parent: str | None, above: frozenset[str]) -> list[Json]:
        return [
            item | {"children": below(item["name"], above | {item["name"]})}
            for item in items
            # Whose parent is not on record stands at the top, and nobody stands below itself.
            if (item.get("parent") if item.get("parent") in known else None) == parent
            and item["name"] not in above
        ]

    return below(None, frozenset())


def draw(items: Sequence[Json]) -> None:
    from rich.text import Text  # noqa: PLC0415
    from rich.tree import Tree  # noqa: PLC0415

    if not items:
        output.table([], ())
        return

    def grow(branch: Tree, nodes: list[Json]) -> None:
        for node in nodes:
            label = Text(clean(str(node["name"])), style="bold")
            label.append(
                clean(f"  {node.get('state', '')}  {node.get('subject', '')}"), style="default"
            )
            grow(branch.add(label), node["children"])

    root = Tree("authorities", hide_root=True)
    grow(root, nested(items))
    output.console().print(root)
