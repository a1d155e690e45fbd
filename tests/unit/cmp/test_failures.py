"""Every error has a PKIFailureInfo, and every address one meaning."""

import pytest

from chancery.domain import errors
from chancery.domain.errors import BadRequest, NotFound
from chancery.protocols.cmp import failures, paths, settings
from chancery.protocols.cmp.paths import Place
from chancery.wire.cmp_kinds import Body, Failure

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.CAError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_failure(kind: type[errors.CAError]) -> None:
    assert kind in {row[0] for row in failures.KINDS}
    assert isinstance(failures.failure_of(kind("why")), Failure)
    assert failures.text_of(kind("why", remedy="do so")) == "why; do so"


@pytest.mark.parametrize("later", range(len(failures.KINDS)))
def test_no_row_hides_a_later_one(later: int) -> None:
    kind = failures.KINDS[later][0]
    assert not any(issubclass(kind, earlier[0]) for earlier in failures.KINDS[:later])


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/.well-known/cmp", Place("main", None)),
        ("/.well-known/cmp/", Place("main", None)),
        ("/.well-known/cmp/initialization", Place("main", "initialization")),
        ("/.well-known/cmp/p/plant", Place("plant", None)),
        ("/.well-known/cmp/p/plant/keyupdate", Place("plant", "keyupdate")),
        ("/pkix/", Place("main", None)),
        ("/pkix/plant", Place("plant", None)),
        ("/pkix/plant/", Place("plant", None)),
    ],
)
def test_addresses(path: str, place: Place) -> None:
    assert paths.place(path) == place


@pytest.mark.parametrize(
    "path", ["/.well-known/cmp/p/x/no", "/.well-known/cmp/p/x/pkcs10/more", "/pkix/x/y/z"]
)
def test_addresses_of_nothing(path: str) -> None:
    with pytest.raises(NotFound):
        paths.place(path)


@pytest.mark.parametrize("operation", paths.OPERATIONS)
def test_what_follows_goes_to_the_same_address(operation: str) -> None:
    place = Place("x", operation)
    for kind in (Body.CERTCONF, Body.POLLREQ, Body.ERROR, *paths.OPERATIONS[operation]):
        paths.check(place, kind)
    with pytest.raises(BadRequest):
        paths.check(place, Body.CCR)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"no_such": 1}, "settings.no_such"),
        ({"confirm_s": 1}, "settings.confirm_s"),
        ({"confirm_s": True}, "settings.confirm_s"),
        ({"check_after_s": "soon"}, "settings.check_after_s"),
        ({"implicit_confirm": 1}, "settings.implicit_confirm"),
        ({"trusted_ras": "text"}, "settings.trusted_ras"),
        ({"trusted_ras": ["text"]}, "settings.trusted_ras"),
        ({"server_keys": ["rsa-512"]}, "settings.server_keys"),
    ],
)
def test_settings_that_are_wrong(given: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        settings.read(given)
    assert refused.value.field == field


def test_settings_are_filled_up() -> None:
    assert settings.check({"confirm_s": 60}) == {
        "trusted_ras": [],
        "implicit_confirm": True,
        "confirm_s": 60,
        "check_after_s": 10,
        "clock_skew_s": 600,
        "server_keys": [],
    }
