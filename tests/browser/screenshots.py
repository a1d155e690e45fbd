"""Pictures of every page: light, dark, and on a phone.  ``make screenshots``, or

    PYTHONPATH=tests python -m browser.screenshots FOLDER [WORD]

where only addresses with WORD in them are taken.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from browser.tour import PEOPLE, look, stops
from browser.world import DESKTOP, PHONE, Seen, World, served

LOOKS = (("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE))


def take(world: World, folder: Path, word: str) -> list[str]:
    """Take every picture; return what the browser complained about."""
    seen = Seen()
    for theme, size in LOOKS:
        suffix = "phone" if size == PHONE else theme
        for visitor in ("", *PEOPLE):
            wanted = [s for s in stops(world.made) if s.visitor == visitor and word in s.address]
            if not wanted:
                continue
            with world.context(seen, theme=theme, size=size) as context:
                page = context.new_page()
                if visitor:
                    world.sign_in(page, visitor)
                for stop in wanted:
                    if look(page, stop) is None:
                        continue
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=folder / f"{stop.name}.{suffix}.png", full_page=True)
    return seen.complaints


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    word = sys.argv[2] if len(sys.argv) > 2 else ""
    with (
        tempfile.TemporaryDirectory() as work,
        sync_playwright() as playwright,
        served(Path(work) / "instance", playwright) as world,
    ):
        complaints = take(world, folder, word)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")
    print(*complaints, sep="\n", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
