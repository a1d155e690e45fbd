"""Every CRL that a CA may choose: what is in it, whom it speaks of, and how they add up."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from chancery.domain.algorithms import KeyAlgorithm
from chancery.domain.authority import CrlIdp
from chancery.domain.certificate import CertificateRecord, CertificateStatus, RevocationReason
from chancery.domain.crl import CrlTrigger, shard_of
from chancery.domain.errors import BadRequest, Conflict, NotFound
from chancery.domain.identity import SYSTEM
from chancery.domain.ids import new_id
from chancery.domain.profile import DAY_S
from chancery.ports import Session
from chancery.services.authority import AuthorityChange, Extensions, NewAuthority
from chancery.services.issuers import ca_keys
from chancery.services.status import crl_checks
from chancery.services.status.crl_scope import with_part
from chancery.wire import crl
from services.pki import House, operator, signer

SUPERSEDED = RevocationReason.superseded
SHARD_CDP = ("{http}/crl/{ca}/{shard}.crl",)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, house_url: str | None) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("lists")
    with signer(directory) as vault:
        made = House(directory, vault, database=house_url)
        authority(made, "root", None)
        yield made
        made.close()


@pytest.fixture
def ca(house: House, request: pytest.FixtureRequest) -> str:
    """A CA of each test's own."""
    name = f"ca-{secrets.token_hex(4)}"
    authority(house, name, "root")
    return name


def authority(house: House, name: str, parent: str | None) -> None:
    days = {None: 3650, "root": 1000}.get(parent, 900)
    house.authorities.create(
        SYSTEM,
        NewAuthority(
            name, "lab", f"CN={name}", parent=parent, key_algorithm=KeyAlgorithm.EC_P256,
            extensions=Extensions(days=days),
        ),
    )  # fmt: skip


def choose(house: House, name: str, **choices: object) -> None:
    house.authorities.edit(SYSTEM, name, AuthorityChange(**choices))  # type: ignore[arg-type]
    house.status.run_due()


def parsed(house: House, name: str) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(house.status.latest_crl(name))


def listed(house: House, name: str) -> dict[str, str | None]:
    """Serial and reason of each entry."""
    found = {}
    for entry in parsed(house, name):
        try:
            reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        except x509.ExtensionNotFound:
            reason = None
        found[f"{entry.serial_number:x}"] = reason
    return found


def change(house: House, leaf: CertificateRecord, status: CertificateStatus) -> None:
    """Hold or release, as the service does."""
    held = status is CertificateStatus.HELD

    def unit(session: Session) -> None:
        session.certificates.set_status(
            leaf.id,
            [CertificateStatus.VALID if held else CertificateStatus.HELD],
            status,
            revoked_at=house.clock.s() if held else None,
            reason=RevocationReason.certificateHold if held else None,
        )
        session.audit.append([], house.clock.ms())
        session.crls.mark_due(leaf.authority, house.clock.s())

    house.store.write(unit)


def test_a_delta_tells_what_changed_since_its_base(house: House, ca: str) -> None:
    first, held, late = (house.leaf(ca, f"w{n}.example.org") for n in range(3))
    house.revoke(first, SUPERSEDED)
    change(house, held, CertificateStatus.HELD)
    choose(
        house, ca, crl_delta_every_s=3600, crl_on_revocation=CrlTrigger.DELTA, crl_idp=CrlIdp.FULL
    )  # a base, and a delta
    full, delta = (crl.decode(house.status.latest_crl(n)) for n in (ca, f"{ca}/delta"))
    assert set(listed(house, ca)) == {first.serial, held.serial}
    assert full.freshest == (f"{full.scope.distribution_point[0][:-4]}/delta.crl",)
    assert (delta.number, delta.scope) == (full.number, full.scope)
    house.revoke(late, SUPERSEDED)
    change(house, held, CertificateStatus.VALID)
    (record,) = house.status.run_due()
    assert crl.decode(house.status.latest_crl(ca)).number == full.number, "the base stands"
    newer = crl.decode(house.status.latest_crl(f"{ca}/delta"))
    assert (newer.number, record.number) == (newer.number, newer.number)
    assert newer.base is not None
    assert newer.base <= full.number < newer.number
    told = listed(house, f"{ca}/delta")
    assert told[late.serial] == "superseded"
    assert told[held.serial] == "removeFromCRL"
    house.status.issue_crl(operator(), ca)
    assert set(listed(house, ca)) == {first.serial, late.serial}


def test_deltas_come_by_their_schedule(house: House, ca: str) -> None:
    choose(house, ca, crl_delta_every_s=3600)
    before = [crl.decode(house.status.latest_crl(n)).number for n in (ca, f"{ca}/delta")]
    assert house.status.run_due() == []
    house.clock.ahead_s += 3601
    try:
        house.status.run_due()
        after = [crl.decode(house.status.latest_crl(n)).number for n in (ca, f"{ca}/delta")]
        assert after[0] == before[0]
        assert after[1] > before[1]
    finally:
        house.clock.ahead_s = 0


def test_an_authority_is_made_with_its_choices(house: House) -> None:
    name = f"ca-{secrets.token_hex(4)}"
    wishes = {"crl_shards": 2, "crl_delta_every_s": 3600, "crl_ca_list": True}
    what = NewAuthority(
        name, "lab", f"CN={name}", parent="root", key_algorithm=KeyAlgorithm.EC_P256,
        extensions=Extensions(days=900), **wishes,  # type: ignore[arg-type]
    )  # fmt: skip
    for part in ("0", "1", "delta", "ca"):
        with pytest.raises(NotFound):
            house.status.latest_crl(f"{name}/{part}")
    with pytest.raises(BadRequest) as caught:
        house.authorities.create(SYSTEM, replace(what, crl_indirect=("nobody",)))
    assert caught.value.rule == "crl.indirect"
    made = house.authorities.create(SYSTEM, what)
    assert made.crl_shards == (2,)
    for part in ("0", "1", "delta", "ca"):
        assert listed(house, f"{name}/{part}") == {}
    assert house.leaf(name, "www.example.org", cdp=SHARD_CDP)


def test_shards_add_up_to_the_full_crl(house: House, ca: str) -> None:
    old = house.leaf(ca, "old.example.org")
    with pytest.raises(Conflict, match="points to a shard"):
        house.leaf(ca, "x.example.org", cdp=SHARD_CDP)
    choose(house, ca, crl_shards=3)
    leaves = [house.leaf(ca, f"w{n}.example.org", cdp=SHARD_CDP) for n in range(8)]
    for leaf in (old, *leaves):
        house.revoke(leaf, SUPERSEDED)
    house.status.run_due()
    shards = [listed(house, f"{ca}/{index}") for index in range(3)]
    assert sorted(serial for shard in shards for serial in shard) == sorted(listed(house, ca))
    for leaf in leaves:
        certificate = x509.load_der_x509_certificate(leaf.der)
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        url = points[0].full_name[0].value
        index = shard_of(leaf.serial, 3)
        assert url.endswith(f"/crl/{ca}/{index}.crl")
        assert leaf.serial in shards[index]
        assert crl.decode(house.status.latest_crl(f"{ca}/{index}")).scope == crl.Scope((url,))
    # Partitioned anew, former certificates find theirs where they look.
    choose(house, ca, crl_shards=2)
    again = house.leaf(ca, "again.example.org", cdp=SHARD_CDP)
    points = x509.load_der_x509_certificate(again.der).extensions.get_extension_for_class(
        x509.CRLDistributionPoints
    )
    assert points.value[0].full_name[0].value.endswith(f"/{shard_of(again.serial, 2)}.2.crl")
    assert [len(listed(house, f"{ca}/{n}")) for n in range(3)] == [len(s) for s in shards]
    assert sum(len(listed(house, f"{ca}/{n}.2")) for n in range(2)) == 9


@pytest.mark.parametrize("trigger", list(CrlTrigger))
def test_a_revocation_leaves_other_shards_alone(house: House, ca: str, trigger: CrlTrigger) -> None:
    choose(
        house, ca, crl_shards=3, crl_delta_every_s=3600, crl_on_revocation=trigger,
        crl_every_s=43_200, crl_idp=CrlIdp.FULL,
    )  # fmt: skip
    leaves = {shard_of(leaf.serial, 3): leaf for leaf in (house.leaf(ca, "x") for _ in range(40))}
    names = (ca, f"{ca}/delta", f"{ca}/0", f"{ca}/1", f"{ca}/2")

    def numbers() -> list[int]:
        return [crl.decode(house.status.latest_crl(name)).number for name in names]

    def anew(before: list[int]) -> set[str]:
        return {name for name, *n in zip(names, before, numbers(), strict=True) if n[0] < n[1]}

    usual = {f"{ca}/delta"} | ({ca} if trigger is CrlTrigger.ALL else set())
    before = numbers()
    house.revoke(leaves[1], SUPERSEDED)
    house.status.run_due()
    assert anew(before) == usual | {f"{ca}/1"}
    assert set(listed(house, f"{ca}/1")) == {leaves[1].serial}
    before = numbers()
    for index in (0, 2):
        house.revoke(leaves[index], SUPERSEDED)
    with house.store.read() as session:  # picked out inside the database, as sorted outside it
        sorted_ = session.crl_lists.sharded(ca, 0, [3, 7])
        for count, shards in zip((3, 7), sorted_, strict=True):
            for index, entries in enumerate(shards):
                assert session.crl_lists.shard(ca, 0, count, index) == entries
    house.status.run_due()
    assert anew(before) == usual | {f"{ca}/0", f"{ca}/2"}
    house.clock.ahead_s = 43_000  # what a revocation renewed waits for no other shard's day
    try:
        house.revoke(house.leaf(ca, "late"), SUPERSEDED)
        house.status.run_due()
        before = numbers()
        house.clock.ahead_s = 43_300
        house.status.run_due()
        assert anew(before) == set(names)
    finally:
        house.clock.ahead_s = 0


def test_a_list_of_cas_alone(house: House, ca: str) -> None:
    authority(house, f"{ca}-below", ca)
    choose(house, ca, crl_ca_list=True)
    leaf = house.leaf(ca, "www.example.org")
    with house.store.read() as session:
        (below,) = session.authorities.certificates(f"{ca}-below")
        (record,) = session.certificates.by_serial(below.serial, ca)
    house.revoke(leaf, SUPERSEDED)
    house.revoke(record, RevocationReason.cACompromise)
    house.status.run_due()
    assert set(listed(house, ca)) == {leaf.serial, below.serial}
    assert set(listed(house, f"{ca}/ca")) == {below.serial}
    scope = crl.decode(house.status.latest_crl(f"{ca}/ca")).scope
    assert scope is not None
    assert scope.only_ca_certificates
    choose(house, ca, crl_ca_list=False)
    with pytest.raises(NotFound):
        house.status.latest_crl(f"{ca}/ca")


def taken_over(house: House, ca: str, serial: int, says: bytes) -> CertificateRecord:
    """A certificate from elsewhere, as an import puts it on record."""
    when = datetime.now(UTC).replace(microsecond=0)
    oid = x509.ExtensionOID.BASIC_CONSTRAINTS
    critical = says.startswith(b"!")
    key = ec.generate_private_key(ec.SECP256R1())
    der = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(when)
        .not_valid_after(when + timedelta(days=90))
        .add_extension(x509.UnrecognizedExtension(oid, says.lstrip(b"!")), critical=critical)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    now = house.clock.s()
    record = CertificateRecord(
        id=new_id(house.clock.ms(), secrets.token_bytes(10)), authority=ca, serial=f"{serial:x}",
        subject="", names=(), not_before=now, not_after=now + 90 * DAY_S,
        key_sha256=secrets.token_hex(32), sha256=secrets.token_hex(32), profile="imported",
        profile_sha256="", request_id="import:1", requester="olga", der=der, issued_at=now,
    )  # fmt: skip
    house.store.write(lambda session: session.certificates.adopt([record]))
    return record


def test_cas_taken_over_from_elsewhere_are_listed_among_them(house: House, ca: str) -> None:
    says = [  # BasicConstraints: a CA, with a path length of one octet and of two, and none
        bytes.fromhex(value)
        for value in ("30030101ff", "30060101ff020100", "30070101ff02020080", "3000")
    ]
    choose(house, ca, crl_ca_list=True)
    taken = [
        taken_over(house, ca, 0x7000 + n, value)
        for n, value in enumerate([*says, *(b"!" + value for value in says)])
    ]
    for one in taken:
        house.revoke(one, SUPERSEDED)
    house.status.run_due()
    assert set(listed(house, f"{ca}/ca")) == {f"{0x7000 + n:x}" for n in (0, 1, 2, 4, 5, 6)}


def test_expired_certificates_stay_where_that_is_chosen(house: House, ca: str) -> None:
    leaf = house.leaf(ca, "www.example.org", lasting_s=120)
    house.revoke(leaf, SUPERSEDED)
    choose(house, ca, crl_every_s=60, crl_lifetime_s=600)
    house.clock.ahead_s = 3600
    try:
        for _ in range(2):
            house.status.issue_crl(operator(), ca)
        assert listed(house, ca) == {}
        choose(house, ca, crl_keep_expired=True)
        assert set(listed(house, ca)) == {leaf.serial}
        with house.store.read() as session:
            (key,) = ca_keys(session.authorities.certificates(ca))
        decoded = crl.decode(house.status.latest_crl(ca))
        assert decoded.expired_since == key.certificate.not_before
    finally:
        house.clock.ahead_s = 0


def test_an_indirect_crl_speaks_for_others(house: House, ca: str) -> None:
    authority(house, f"{ca}-b", "root")
    mine, theirs = house.leaf(ca, "a.example.org"), house.leaf(f"{ca}-b", "b.example.org")
    house.revoke(mine, SUPERSEDED)
    house.revoke(theirs, RevocationReason.keyCompromise)
    choose(house, ca, crl_indirect=(f"{ca}-b",))
    found = asn1_crl.CertificateList.load(house.status.latest_crl(f"{ca}/indirect"))
    entries = found["tbs_cert_list"]["revoked_certificates"]
    assert [
        (f"{e['user_certificate'].native:x}", e.issuer_name and e.issuer_name.native)
        for e in entries
    ] == [(mine.serial, None), (theirs.serial, {"common_name": f"{ca}-b"})]
    assert set(listed(house, ca)) == {mine.serial}
    later = house.leaf(f"{ca}-b", "later.example.org")
    house.revoke(later, SUPERSEDED)
    house.status.run_due()  # it was another CA's wish, and concerns this one's list
    assert f"{later.serial}" in listed(house, f"{ca}/indirect")


def test_next_updates_differ_where_jitter_is_wished(house: House, ca: str) -> None:
    choose(house, ca, crl_jitter_s=DAY_S, crl_shards=8)
    lives = set()
    for index in range(8):
        decoded = crl.decode(house.status.latest_crl(f"{ca}/{index}"))
        lives.add(decoded.next_update - decoded.this_update)
    assert len(lives) > 1
    assert all(6 * DAY_S <= life <= 7 * DAY_S for life in lives)


def test_entries_older_than_their_column_are_listed_too(house: House, ca: str) -> None:
    held = [house.leaf(ca, f"w{n}.example.org") for n in range(3)]
    for leaf in held:
        change(house, leaf, CertificateStatus.HELD)

    def unit(session: Session) -> None:
        link = session.crls._link  # type: ignore[attr-defined]
        link.driver("UPDATE revocation SET entry = NULL WHERE serial = ?", (held[1].serial,))

    house.store.write(unit)
    house.status.issue_crl(operator(), ca)
    assert set(listed(house, ca)) == {leaf.serial for leaf in held}
    assert set(listed(house, ca).values()) == {"certificateHold"}


@pytest.mark.parametrize(
    ("choices", "rule"),
    [
        ({"crl_delta_every_s": 30}, "crl.delta"),
        ({"crl_delta_every_s": 10 * DAY_S}, "crl.delta"),
        ({"crl_on_revocation": CrlTrigger.DELTA}, "crl.delta"),
        ({"crl_jitter_s": 6 * DAY_S}, "crl.jitter"),
        ({"crl_shards": 1}, "crl.shards"),
        ({"crl_shards": 257}, "crl.shards"),
        ({"crl_indirect": ("nobody",)}, "crl.indirect"),
        ({"crl_indirect": ("root", "root")}, "crl.indirect"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen(house: House, choices: dict[str, object], rule: str) -> None:
    with pytest.raises(BadRequest) as caught:
        house.authorities.edit(SYSTEM, "root", AuthorityChange(**choices))  # type: ignore[arg-type]
    assert caught.value.rule == rule


def test_the_crl_of_another_ca_never_gets_to_a_url(house: House, ca: str) -> None:
    """A CRL copied to the wrong CDP, an old one, and one that was changed (I6, I7, I23)."""
    authority(house, f"{ca}-x", "root")
    with house.store.read() as session:
        (key,) = ca_keys(session.authorities.certificates(ca))
    der, now = house.status.latest_crl(ca), house.clock.s()
    decoded = crl.decode(der)

    def wanted(**more: object) -> crl_checks.Wanted:
        facts: dict[str, object] = {
            "number": decoded.number, "above": decoded.number - 1,
            "this_update": decoded.this_update, "next_update": decoded.next_update,
            "entries": decoded.entries, "scope": None,
        }  # fmt: skip
        return crl_checks.Wanted(**facts | more)  # type: ignore[arg-type]

    crl_checks.made_here(key, der, wanted(), now)
    wrong = [
        ("crl.issuer", house.status.latest_crl(f"{ca}-x"), wanted(), now),
        ("crl.signature", der[:-3] + bytes([der[-3] ^ 1]) + der[-2:], wanted(), now),
        ("crl.number", der, wanted(above=decoded.number), now),
        ("crl.dates", der, wanted(), decoded.next_update),
        ("crl.dates", der, wanted(next_update=decoded.next_update + 1), now),
        ("crl.scope", der, wanted(scope=crl.Scope(("http://a.example/",))), now),
        ("crl.delta", der, wanted(base=1), now),
        ("crl.expired", der, wanted(expired_since=1), now),
        ("crl.entries", der, wanted(entries=1), now),
    ]
    for rule, octets, expected, when in wrong:
        with pytest.raises(BadRequest) as caught:
            crl_checks.made_here(key, octets, expected, when)
        assert caught.value.rule == rule
    with pytest.raises(BadRequest, match="shards"):
        crl_checks.adds_up(3, [1, 1])


def test_where_parts_lie() -> None:
    assert with_part("{http}/crl/{ca}.crl", "delta") == "{http}/crl/{ca}/delta.crl"
    assert with_part("http://a.example/x", "3") == "http://a.example/x/3.crl"


def test_lost_files_come_back_from_the_record(house: House, ca: str) -> None:
    choose(house, ca, crl_delta_every_s=3600)
    before = house.status.latest_crl(f"{ca}/delta")
    public = Path(house.directory) / "public" / "crl"
    (public / ca / "delta.crl").unlink()
    assert house.status.catch_up() == 1
    assert (public / ca / "delta.crl").read_bytes() == before
    assert house.status.catch_up() == 0
