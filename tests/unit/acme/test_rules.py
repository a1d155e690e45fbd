"""Pure rules: identifiers, settings of a door, CAA, states of an order."""

from collections.abc import Sequence
from typing import Any

import pytest

from chancery.domain.acme import (
    Authorization,
    AuthorizationStatus,
    EarlyRenewal,
    Order,
    OrderStatus,
    identifier,
)
from chancery.domain.acme_settings import AcmeSettings, host_port
from chancery.domain.errors import BadRequest, Unavailable
from chancery.ports_acme import CaaRecord
from chancery.protocols.acme import settings
from chancery.services.acme import caa

URL, OTHER = (
    "https://ca.example.org/acme/main/account/1",
    "https://ca.example.org/acme/main/account/2",
)


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        ("email", "a@example.org", "acme.identifier.kind"),
        ("dns", "a_b.example.org", "name.dns-syntax"),
        ("dns", "a.*.example.org", "name.dns-syntax"),
        ("dns", "example.org.", "name.dns-syntax"),
        ("dns", "192.0.2.1", "name.dns-syntax"),
        ("ip", "192.0.2.01", "name.ip-syntax"),
        ("ip", "2001:DB8::1", "name.ip-syntax"),
        ("ip", "fe80::1%eth0", "name.ip-syntax"),
    ],
)
def test_what_is_no_identifier(kind: str, value: str, rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        identifier(kind, value)
    assert caught.value.rule == rule


def test_which_patterns_cover_an_identifier() -> None:
    www, wild = identifier("dns", "WWW.example.org"), identifier("dns", "*.example.org")
    assert (www.value, wild.base, wild.wildcard) == ("www.example.org", "example.org", True)
    assert www.fits([".Example.org"])
    assert wild.fits([".example.org"])
    assert not www.fits(["example.org", ".ample.org.uk", ""])
    assert not identifier("dns", "evilexample.org").fits([".example.org", "example.org"])
    assert identifier("ip", "10.1.2.3").fits(["10.0.0.0/8"])
    assert not identifier("ip", "10.1.2.3").fits([".3", "fd00::/8", "10.1.2.4"])


def records(*values: str, tag: str = "issue", critical: bool = False) -> list[CaaRecord]:
    return [CaaRecord(critical, tag, value) for value in values]


@pytest.mark.parametrize(
    ("found", "allowed"),
    [
        (records("ca.example.org"), True),
        (records("CA.example.org ; policy=ev"), True),
        (records("other.example.org", "ca.example.org"), True),
        (records("other.example.org"), False),
        (records(";"), False),
        (records(""), False),
        (records("ca.example.org; %%%%"), False),
        (records(f"ca.example.org; accounturi={URL}"), True),
        (records(f"ca.example.org; accounturi={OTHER}"), False),
        (records(f"ca.example.org; accounturi={URL}; accounturi={URL}"), False),
        (records("ca.example.org; validationmethods=dns-01,http-01"), True),
        (records("ca.example.org; validationmethods=tls-alpn-01"), False),
        (records("ca.example.org; validationmethods="), False),
        (records("mailto:a@example.org", tag="iodef"), True),
        (records("x", tag="tbs", critical=True), False),
        (records("x", tag="tbs"), True),
        (records("ca.example.org") + records("x", tag="future", critical=True), False),
        (records("other.example.org", tag="issuewild"), True),  # no wildcard is asked for
    ],
)
def test_what_caa_records_allow(found: Sequence[CaaRecord], allowed: bool) -> None:
    name = identifier("dns", "www.example.org")
    fault = caa.judge(found, name, ("ca.example.org",), URL, "http-01")
    assert (fault is None) == allowed


def test_wildcards_have_a_property_of_their_own() -> None:
    wild, ours = identifier("dns", "*.example.org"), ("ca.example.org",)
    other = records("ca.example.org") + records(";", tag="issuewild")
    assert caa.judge(other, wild, ours, URL, "dns-01") is not None
    assert caa.judge(records("ca.example.org"), wild, ours, URL, "dns-01") is None


class Zone:
    """Answers from a table; None: no answer."""

    def __init__(self, **zone: list[CaaRecord] | None) -> None:
        self.zone = {name.replace("_", "."): found for name, found in zone.items()}
        self.asked: list[str] = []

    def caa(self, name: str, settings: AcmeSettings) -> Sequence[CaaRecord]:
        self.asked.append(name)
        found = self.zone.get(name, [])
        if found is None:
            raise Unavailable("SERVFAIL")
        return found


def test_the_tree_is_climbed_to_the_first_records() -> None:
    ours = AcmeSettings(caa_identities=("ca.example.org",))
    name = identifier("dns", "a.b.example.org")
    zone = Zone(example_org=records(";"), org=records("ca.example.org"))
    fault = caa.check(zone, name, ours, URL, "http-01")
    assert fault is not None
    assert zone.asked == ["a.b.example.org", "b.example.org", "example.org"]
    assert caa.check(Zone(), name, ours, URL, "http-01") is None
    assert caa.check(Zone(b_example_org=None), name, ours, URL, "http-01") is not None
    addresses = Zone()
    assert caa.check(addresses, identifier("ip", "192.0.2.1"), ours, URL, "http-01") is None
    assert addresses.asked == []


@pytest.mark.parametrize(
    "given",
    [
        {"unknown": 1},
        {"external_account_required": "yes"},
        {"challenges": []},
        {"challenges": ["sip-01"]},
        {"networks": ["10.0.0.1/8"]},
        {"networks": ["everything"]},
        {"trusted": ["exa mple"]},
        {"resolvers": ["dns.example.org"]},
        {"resolvers": ["192.0.2.1:0"]},
        {"http_port": 0},
        {"timeout_s": 3600},
        {"caa": True},
        {"caa_profiles": ["tls-server"]},
        {"website": "javascript:alert(1)"},
        {"vantages": [{"url": "http://a.example.org", "token_file": "t"}]},
        {"quorum": 1},
        {"max_identifiers": 1000},
    ],
)
def test_settings_that_cannot_be(given: dict[str, object]) -> None:
    with pytest.raises(BadRequest) as caught:
        settings.check(given)
    assert (caught.value.field or "").startswith("door.settings")


def test_settings_are_filled_up_with_safe_ones() -> None:
    filled = settings.check({"trusted": [".corp.example.org", "10.0.0.0/8"]})
    assert filled["external_account_required"] is True
    assert not filled["networks"]
    assert settings.check(filled) == filled
    assert host_port("[2001:db8::1]:5353") == ("2001:db8::1", 5353)
    assert host_port("2001:db8::1") == ("2001:db8::1", 53)


def test_an_order_stands_as_its_authorizations_do() -> None:
    name = identifier("dns", "a.example.org")

    def order(**more: Any) -> Order:
        values: dict[str, Any] = {"status": OrderStatus.PENDING, "expires_at": 100} | more
        return Order("o", "acme/main", "a", (name,), None, created_at=0, **values)

    def authorization(status: AuthorizationStatus, expires_at: int = 100) -> Authorization:
        return Authorization("z", "acme/main", "a", name, status, expires_at, "t", (), 0)

    valid = authorization(AuthorizationStatus.VALID)
    pending = authorization(AuthorizationStatus.PENDING)
    assert order().standing([valid], 50) is OrderStatus.READY
    assert order().standing([valid, pending], 50) is OrderStatus.PENDING
    assert order().standing([valid], 100) is OrderStatus.INVALID
    assert order(expires_at=500).standing([valid], 100) is OrderStatus.INVALID
    for status in (
        AuthorizationStatus.INVALID,
        AuthorizationStatus.DEACTIVATED,
        AuthorizationStatus.REVOKED,
    ):
        assert order().standing([valid, authorization(status)], 50) is OrderStatus.INVALID
    done = order(status=OrderStatus.VALID)
    assert done.standing([authorization(AuthorizationStatus.DEACTIVATED)], 900) is OrderStatus.VALID


def test_which_certificates_an_early_renewal_moves() -> None:
    early = EarlyRenewal("e", "web", None, None, 50, 0, 1, "", "olga", 0)
    assert early.fits("web", "tls-server", "01", 49)
    assert not early.fits("web", "tls-server", "01", 50)
    assert not early.fits("other", "tls-server", "01", 49)
