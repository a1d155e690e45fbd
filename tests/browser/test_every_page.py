"""Every page: nothing that axe-core minds in either theme, nothing too wide, nothing broken."""

import pytest

from browser.tour import PEOPLE, stops
from browser.world import PHONE, THEMES, Seen, World, accessible, too_wide


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
            answer = page.goto(stop.address)
            if answer is not None and "download" in str(answer.headers.get("content-disposition")):
                continue
            if answer is None or answer.status != 200:
                wrong.append(f"{stop.address}: {answer.status if answer else 'no answer'}")
                continue
            for theme in THEMES:
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                wrong += [f"{theme}: {finding}" for finding in accessible(page)]
            wrong += filter(None, [too_wide(page)])
            page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            wrong += filter(None, [too_wide(page)])
            page.set_viewport_size({"width": 1366, "height": 768})
    assert not wrong + seen.complaints, "\n".join(wrong + seen.complaints)
