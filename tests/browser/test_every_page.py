"""Every page: nothing that axe-core minds in either theme, nothing too wide, nothing broken."""

import pytest

from browser.tour import PEOPLE, look, stops, unseen
from browser.world import PHONE, Seen, World, accessible_in_both_themes, too_wide


@pytest.mark.parametrize("visitor", ["", *PEOPLE])
def test_every_page(world: World, visitor: str) -> None:
    wrong: list[str] = []
    seen = Seen()
    with world.context(seen) as context:
        page = context.new_page()
        if visitor:
            world.sign_in(page, visitor)
        for stop in stops(world.made):
            if stop.visitor != visitor:
                continue
            status = look(page, stop)
            if status is None:
                continue
            if status != 200:
                wrong.append(f"{stop.address}: {status}")
                continue
            wrong += accessible_in_both_themes(page)
            wrong += filter(None, [too_wide(page)])
            page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            wrong += filter(None, [too_wide(page)])
            page.set_viewport_size({"width": 1366, "height": 768})
    assert not wrong + seen.complaints, "\n".join(wrong + seen.complaints)


def test_no_page_is_unseen(world: World) -> None:
    """A new page with parameters gets an example, or a reason in ``SKIPPED``."""
    assert unseen(world.made) == []
