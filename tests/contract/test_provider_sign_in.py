"""Signing in through OpenID providers: one that nobody here wrote, and one that lies."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from factors import factor_tools
from joserfc.jwk import ECKey, OctKey
from people import CountingHasher, SteppedClock, refused

from chancery.adapters.oidc.documents import Documents
from chancery.adapters.oidc.plan import ProviderPlan
from chancery.adapters.oidc.provider import OidcProvider
from chancery.adapters.storage import SqlStore
from chancery.domain.directory import Mapped, Mapping, Purpose
from chancery.domain.errors import Conflict, NotAuthenticated, NotFound, Unavailable
from chancery.domain.identity import SYSTEM, Role
from chancery.services.identity import IdentityPolicy, IdentityService
from chancery.services.identity.providers import Begun, Finished
from chancery.services.identity.sources import ProviderSource, Source
from services.hostile_provider import HostileProvider
from services.oidc_provider import ALGORITHMS, SECRET, Provider
from services.tls_files import Authority

ORIGIN = "192.0.2.9"
ALLOWED = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
MAPPING = Mapping(
    (
        Mapped("ra-officers", frozenset({Role.RA_OFFICER}), frozenset({"officers"})),
        Mapped("auditors", frozenset({Role.AUDITOR})),
    )
)
PLAN = ProviderPlan(
    "op", "", "chancery", SECRET, "basic", ("openid", "profile", "email"), ALLOWED, timeout_s=5
)


@dataclass
class House:
    store: SqlStore
    clock: SteppedClock
    identity: IdentityService
    source: ProviderSource

    def begin(self, **options: Any) -> Begun:
        return self.identity.providers.begin("op", "/console/requests", **options)

    def finish(self, handle: str, url: str, **changes: str | None) -> Finished:
        given = dict(parse_qsl(urlsplit(url).query)) | changes
        parameters = {name: value for name, value in given.items() if value is not None}
        return self.identity.providers.finish("op", handle, parameters, ORIGIN)

    def failures(self) -> list[Any]:
        with self.store.read() as session:
            found = session.audit.find(action="login.failed", limit=100)
        return [record.event.details.get("rule") for record in found]


def source_of(plan: ProviderPlan, redirect_uri: str, **changes: Any) -> ProviderSource:
    documents = Documents(plan, unknown_key_s=0.2)
    made = ProviderSource(
        source=Source("op", plan.issuer, "@op", MAPPING),
        provider=OidcProvider(plan, documents),
        title="Test provider",
        issuer=plan.issuer,
        client_id=plan.client_id,
        redirect_uri=redirect_uri,
        signed_out_uri="https://ca.example.org/console/sign-in",
    )
    return replace(made, **changes)


@pytest.fixture
def engine_name() -> str:
    """The records these services keep are held to their contract on both engines elsewhere."""
    return "sqlite"


@pytest.fixture
def open_house(store: SqlStore) -> Callable[[ProviderSource], House]:
    def made(source: ProviderSource) -> House:
        clock = SteppedClock(int(time.time()))
        identity = IdentityService(
            store,
            CountingHasher(),
            clock,
            secrets.token_bytes,
            IdentityPolicy(token_cache_ms=0),
            tools=factor_tools(),
            providers=[source],
        )
        with store.read() as session:
            known = session.identities.group("officers")
        if known is None:
            identity.groups.create(SYSTEM, "officers")
        return House(store, clock, identity, source)

    return made


@pytest.fixture
def plan(openid_provider: Provider) -> ProviderPlan:
    ca = openid_provider.authority.pem.decode()
    return replace(PLAN, issuer=openid_provider.issuer, client_id="chancery-ES256", ca=ca)


@pytest.fixture
def house(
    openid_provider: Provider, plan: ProviderPlan, open_house: Callable[[ProviderSource], House]
) -> House:
    return open_house(source_of(plan, openid_provider.redirect_uri))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_somebody_signs_in(
    openid_provider: Provider,
    plan: ProviderPlan,
    open_house: Callable[[ProviderSource], House],
    algorithm: str,
) -> None:
    plan = replace(plan, client_id=f"chancery-{algorithm}")
    house = open_house(source_of(plan, openid_provider.redirect_uri))
    begun = house.begin()
    sent = dict(parse_qsl(urlsplit(begun.url).query))
    assert sent["code_challenge_method"] == "S256"
    assert begun.handle not in begun.url
    back = openid_provider.browse(begun.url, "alice")
    assert "iss" in dict(parse_qsl(urlsplit(back).query))
    if algorithm == "HS256":  # the provider would; our settings would not
        with refused(NotAuthenticated, "oidc.signature"):
            house.finish(begun.handle, back)
        return
    finished = house.finish(begun.handle, back)
    assert finished == Finished("alice@op", "/console/requests", Purpose.SIGN_IN)
    opened = house.identity.sessions.by_provider(finished.account, ORIGIN)
    resumed = house.identity.sessions.resume(opened.cookie, ORIGIN)
    assert resumed is not None
    assert resumed.principal.roles == {Role.RA_OFFICER}
    assert resumed.principal.groups == {"officers"}
    user = house.identity.users.show(SYSTEM, "alice@op")
    assert (user.directory, user.password_hash) == ("op", None)
    assert (user.display_name, user.email) == ("Alice Example", "alice@example.org")


def test_the_account_is_the_subject_and_not_the_name(
    openid_provider: Provider, house: House
) -> None:
    carol = f"carol{secrets.token_hex(4)}"
    first = openid_provider.knows(carol, groups=[])
    assert signed_in(house, openid_provider, carol).account == f"{carol}@op"
    openid_provider.knows(carol, preferred_username="caroline")
    assert signed_in(house, openid_provider, carol).account == f"{carol}@op"
    openid_provider.knows(
        carol, sub=f"another {carol}", preferred_username=carol, groups=["auditors"]
    )
    other = signed_in(house, openid_provider, carol).account
    assert other != f"{carol}@op"
    assert other.endswith("@op")
    assert not house.identity.users.show(SYSTEM, f"{carol}@op").roles
    assert first["sub"] != f"another {carol}"


def signed_in(house: House, provider: Provider, login: str, **options: Any) -> Finished:
    begun = house.begin(**options)
    return house.finish(begun.handle, provider.browse(begun.url, login))


def test_groups_of_the_token_are_the_roles_until_the_next_token(
    openid_provider: Provider, house: House
) -> None:
    openid_provider.knows("dan", groups=["ra-officers", "others"])
    signed_in(house, openid_provider, "dan")
    assert house.identity.users.show(SYSTEM, "dan@op").roles == {Role.RA_OFFICER}
    openid_provider.knows("dan", groups=["auditors"])
    signed_in(house, openid_provider, "dan")
    assert house.identity.users.show(SYSTEM, "dan@op").roles == {Role.AUDITOR}
    openid_provider.knows("dan", groups=["auditors", "ra-officers"])
    with refused(Conflict, "FMT_SMR.2"):
        signed_in(house, openid_provider, "dan")
    assert not house.identity.users.show(SYSTEM, "dan@op").roles


def test_a_sign_in_is_good_for_one_answer_of_the_same_browser(
    openid_provider: Provider, house: House
) -> None:
    begun, another = house.begin(), house.begin()
    back = openid_provider.browse(begun.url, "alice")
    with refused(NotAuthenticated, "oidc.state"):
        house.finish(another.handle, back)  # lured: another sign-in's answer
    with refused(NotAuthenticated, "oidc.state"):
        house.finish("", back)
    with refused(NotAuthenticated, "oidc.state"):
        house.finish(begun.handle, back, state="x")
    with refused(NotAuthenticated, "oidc.state"):
        house.finish(begun.handle, back, state=None)
    assert house.finish(begun.handle, back).account == "alice@op"  # none of that used it up
    with refused(NotAuthenticated, "oidc.state"):
        house.finish(begun.handle, back)
    assert house.failures() == ["oidc.state"]  # the same within a minute: told once


def test_ten_minutes_and_no_more(openid_provider: Provider, house: House) -> None:
    begun = house.begin()
    back = openid_provider.browse(begun.url, "alice")
    house.clock.now += 600
    with refused(NotAuthenticated, "oidc.state"):
        house.finish(begun.handle, back)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"iss": "https://evil.example"}, "oidc.iss"),
        ({"iss": None}, "oidc.iss"),  # RFC 9207: this provider announces that it says so
        ({"code": None}, "oidc.code"),
        ({"code": "x" * 5000}, "oidc.code"),
        ({"code": "guessed"}, "oidc.token"),
    ],
)
def test_an_answer_that_was_changed_on_the_way(
    openid_provider: Provider, house: House, changes: dict[str, Any], rule: str
) -> None:
    begun = house.begin()
    back = openid_provider.browse(begun.url, "alice")
    with refused(NotAuthenticated, rule):
        house.finish(begun.handle, back, **changes)


def test_a_code_of_another_sign_in_fails_on_the_verifier(
    openid_provider: Provider, house: House
) -> None:
    begun, another = house.begin(), house.begin()
    stolen = dict(parse_qsl(urlsplit(openid_provider.browse(another.url, "alice")).query))["code"]
    back = openid_provider.browse(begun.url, "alice")
    with refused(NotAuthenticated, "oidc.token"):  # RFC 7636
        house.finish(begun.handle, back, code=stolen)


def test_who_refuses_at_the_provider_is_not_signed_in(
    openid_provider: Provider, house: House
) -> None:
    begun = house.begin()
    back = openid_provider.browse(begun.url, "stranger")
    with pytest.raises(NotAuthenticated, match="you refused") as caught:
        house.finish(begun.handle, back)
    assert caught.value.rule == "oidc.error"


def test_a_fresh_proof_is_asked_for_and_seen(openid_provider: Provider, house: House) -> None:
    begun = house.begin(purpose=Purpose.STEP_UP)
    assert "prompt=login" in begun.url
    assert "max_age=0" in begun.url
    assert house.finish(begun.handle, openid_provider.browse(begun.url, "alice")).purpose.fresh


def test_a_class_of_proof_is_demanded(
    openid_provider: Provider, plan: ProviderPlan, open_house: Callable[[ProviderSource], House]
) -> None:
    plan = replace(plan, acr_values=("strong",))
    house = open_house(source_of(plan, openid_provider.redirect_uri, acr_values=("strong",)))
    openid_provider.knows("eve", acr="weak")
    with refused(NotAuthenticated, "oidc.acr"):
        signed_in(house, openid_provider, "eve")
    openid_provider.knows("eve", acr="strong")
    assert signed_in(house, openid_provider, "eve").account == "eve@op"


def test_the_word_of_a_provider_grows_old(openid_provider: Provider, house: House) -> None:
    finished = signed_in(house, openid_provider, "alice")
    opened = house.identity.sessions.by_provider(finished.account, ORIGIN)
    resumed = house.identity.sessions.resume(opened.cookie, ORIGIN)
    assert resumed is not None
    _, secret = house.identity.tokens.create(resumed.principal)
    assert house.identity.authenticate_token(secret, ORIGIN).roles == {Role.RA_OFFICER}
    house.clock.now += 8 * 3600
    with refused(NotAuthenticated, "directory.gone"):
        house.identity.authenticate_token(secret, ORIGIN)
    house.clock.now -= 8 * 3600


def test_where_sessions_end_and_who_is_asked(
    openid_provider: Provider, house: House, plan: ProviderPlan
) -> None:
    url = house.identity.providers.end_session_url("op")
    assert url is not None
    assert url.startswith(openid_provider.issuer)
    (view,) = house.identity.providers.list(SYSTEM)
    assert (view.name, view.issuer, view.redirect_uri) == (
        "op", openid_provider.issuer, openid_provider.redirect_uri,
    )  # fmt: skip
    assert house.identity.providers.check(SYSTEM, "op")[0].well
    assert [offer.title for offer in house.identity.providers.offers()] == ["Test provider"]
    with refused(NotFound, "provider.known"):
        house.identity.providers.begin("other", "/")
    assert SECRET not in repr(plan)


def test_a_provider_that_another_authority_certified_is_away(
    openid_provider: Provider, plan: ProviderPlan, open_house: Callable[[ProviderSource], House]
) -> None:
    plan = replace(plan, ca=Authority.create("Other").pem.decode())
    house = open_house(source_of(plan, openid_provider.redirect_uri))
    with refused(Unavailable, "provider.away"):
        house.begin()


# A provider that lies


@pytest.fixture
def liar() -> Iterator[HostileProvider]:
    provider = HostileProvider()
    yield provider
    provider.close()


@pytest.fixture
def fooled(
    liar: HostileProvider, open_house: Callable[[ProviderSource], House]
) -> Callable[..., Finished]:
    """Sign in there, as its browser would."""
    plan = replace(PLAN, issuer=liar.issuer, ca=liar.authority.pem.decode())
    house = open_house(source_of(plan, "https://ca.example.org/return"))
    return lambda **options: lied_to(house, liar, **options)


def lied_to(house: House, liar: HostileProvider, **options: Any) -> Finished:
    house.clock.now = int(time.time())
    begun = house.begin(**options)
    sent = dict(parse_qsl(urlsplit(begun.url).query))
    liar.nonce = liar.nonce or sent["nonce"]
    try:
        return house.finish(begun.handle, f"https://x/?state={sent['state']}&code=c")
    finally:
        liar.nonce = ""


def test_the_liar_is_believed_while_it_is_honest(
    liar: HostileProvider, fooled: Callable[..., Finished]
) -> None:
    assert fooled().account == "mallory@op"
    path, form = liar.requests[-1] if liar.requests[-1][0] == "/token" else liar.requests[-2]
    assert path == "/token"
    assert len(form["code_verifier"]) == 43


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "rule"),
    [
        ({"nonce": "another"}, "oidc.nonce"),
        ({"nonce": None}, "oidc.nonce"),
        ({"iss": "https://localhost:1"}, "oidc.iss"),
        ({"iss": None}, "oidc.iss"),
        ({"aud": "somebody-else"}, "oidc.aud"),
        ({"aud": ["chancery", "somebody-else"]}, "oidc.aud"),
        ({"aud": []}, "oidc.aud"),
        ({"aud": None}, "oidc.aud"),
        ({"azp": "somebody-else"}, "oidc.azp"),
        ({"exp": NOW - 120}, "oidc.exp"),
        ({"exp": None}, "oidc.exp"),
        ({"exp": "never"}, "oidc.exp"),
        ({"exp": True}, "oidc.exp"),
        ({"iat": NOW - 3600}, "oidc.iat"),
        ({"iat": NOW + 3600}, "oidc.iat"),
        ({"iat": None}, "oidc.iat"),
        ({"nbf": NOW + 3600}, "oidc.nbf"),
        ({"sub": ""}, "oidc.sub"),
        ({"sub": None}, "oidc.sub"),
        ({"sub": 7}, "oidc.sub"),
        ({"sub": "x" * 256}, "oidc.sub"),
        ({"sub": "a\x00b"}, "oidc.sub"),
        ({"at_hash": "wrong"}, "oidc.at-hash"),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "oidc.groups"),
    ],
)
def test_a_token_that_is_signed_and_wrong(
    liar: HostileProvider, fooled: Callable[..., Finished], claims: dict[str, Any], rule: str
) -> None:
    liar.claims = claims
    with refused(NotAuthenticated, rule):
        fooled()


def test_an_old_session_there_is_no_fresh_proof(
    liar: HostileProvider, fooled: Callable[..., Finished]
) -> None:
    with refused(NotAuthenticated, "oidc.auth_time"):
        fooled(purpose=Purpose.STEP_UP)
    liar.claims = {"auth_time": int(time.time()) - 3600}
    with refused(NotAuthenticated, "oidc.auth_time"):
        fooled(purpose=Purpose.STEP_UP)
    liar.claims = {"auth_time": int(time.time())}
    assert fooled(purpose=Purpose.STEP_UP).purpose.fresh


@pytest.mark.parametrize("how", ["none", "symmetric", "foreign key", "foreign kid", "cut", "empty"])
def test_a_token_that_is_not_signed_by_the_provider(
    liar: HostileProvider, fooled: Callable[..., Finished], how: str
) -> None:
    liar.nonce = "known"
    mine = ECKey.generate_key("P-256", {"kid": "one"})
    unknown = ECKey.generate_key("P-256", {"kid": "two"})
    liar.token = {
        "none": liar.unsigned,
        "symmetric": liar.confused,
        "foreign key": lambda: liar.signed(mine),
        "foreign kid": lambda: liar.signed(unknown),
        "cut": lambda: liar.signed().rpartition(".")[0] + ".",
        "empty": lambda: "..",
    }[how]()
    with refused(NotAuthenticated, "oidc.signature"):
        fooled()


def test_a_symmetric_key_that_is_published_signs_nothing(
    liar: HostileProvider, fooled: Callable[..., Finished]
) -> None:
    liar.keys = [OctKey.generate_key(256, {"kid": "one"}, private=True)]
    liar.nonce = "known"
    liar.token = liar.signed(algorithm="HS256")
    with pytest.raises((NotAuthenticated, Unavailable)):
        fooled()


def test_a_new_key_is_fetched_but_not_at_every_call(
    liar: HostileProvider, fooled: Callable[..., Finished]
) -> None:
    fooled()
    liar.keys.append(ECKey.generate_key("P-256", {"kid": "next"}))
    with refused(NotAuthenticated, "oidc.signature"):  # fetched a moment ago
        fooled()
    time.sleep(0.25)
    assert fooled().account == "mallory@op"
    fetched = [path for path, _ in liar.requests].count("/jwks")
    liar.header = {"kid": "unheard-of"}
    for _ in range(5):
        with refused(NotAuthenticated, "oidc.signature"):
            fooled()
    assert [path for path, _ in liar.requests].count("/jwks") <= fetched + 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://localhost/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": 7},
        {"end_session_endpoint": "javascript:alert(1)"},
    ],
)
def test_metadata_that_is_not_this_issuers(
    liar: HostileProvider, fooled: Callable[..., Finished], metadata: dict[str, Any]
) -> None:
    liar.metadata = metadata
    with refused(Unavailable, "provider.away"):
        fooled()


def test_userinfo_of_somebody_else(
    liar: HostileProvider, open_house: Callable[[ProviderSource], House]
) -> None:
    ca = liar.authority.pem.decode()
    plan = replace(PLAN, issuer=liar.issuer, ca=ca, userinfo=True)
    house = open_house(source_of(plan, "https://ca.example.org/return"))
    liar.claims = {"groups": None, "name": "From the token"}
    liar.userinfo = {"sub": "somebody", "groups": ["ra-officers"]}
    with refused(NotAuthenticated, "oidc.userinfo"):
        lied_to(house, liar)
    liar.userinfo = {"sub": "mallory", "groups": ["ra-officers"], "name": "From elsewhere"}
    account = lied_to(house, liar).account
    user = house.identity.users.show(SYSTEM, account)
    assert user.roles == {Role.RA_OFFICER}
    assert user.display_name == "From the token"


def test_answers_that_are_no_answers(
    liar: HostileProvider, fooled: Callable[..., Finished]
) -> None:
    liar.status = 500
    with refused(Unavailable, "provider.away"):
        fooled()
    liar.status = 302
    with refused(Unavailable, "provider.away"):
        fooled()
    liar.status, liar.token = 200, "x" * 2_000_000
    with refused(Unavailable, "provider.away"):
        fooled()


def test_names_that_no_account_can_have(
    liar: HostileProvider, fooled: Callable[..., Finished]
) -> None:
    seen = set()
    for number, login in enumerate(
        [
            "Müller, Jürgen",
            "../../etc",
            "-",
            "x" * 500,
            "\u202eevil",
            "A B",
            "a b",
            "alice@example.org",
        ]
    ):
        liar.claims = {"sub": f"s{number}", "preferred_username": login, "name": "\x00<b>x\u202e"}
        seen.add(fooled().account)
    assert len(seen) == 8
    assert "alice@example.org@op" in seen
