"""The identity service: authentication, and the parts that manage what it rests on."""

from collections.abc import Sequence
from typing import Final

from chancery.ports import Changes, Clock, Entropy, PasswordHasher, Store
from chancery.ports_sign_in import FactorTools
from chancery.services.identity.accounts import Accounts
from chancery.services.identity.authentication import Authentication
from chancery.services.identity.changes import Ledger
from chancery.services.identity.credentials import ClientCertificates, Tokens
from chancery.services.identity.directories import Directories
from chancery.services.identity.factor_checks import FactorCheck
from chancery.services.identity.failures import Failures
from chancery.services.identity.fresh import FreshProof
from chancery.services.identity.groups import Groups
from chancery.services.identity.own_passkeys import OwnPasskeys
from chancery.services.identity.policy import IdentityPolicy
from chancery.services.identity.providers import Providers
from chancery.services.identity.second_factors import SecondFactors
from chancery.services.identity.session_records import SessionDesk
from chancery.services.identity.sessions import SessionService
from chancery.services.identity.sources import DirectorySource, ProviderSource
from chancery.services.identity.standing import StandingCheck
from chancery.services.identity.token_cache import LocalChanges, TokenCache
from chancery.services.identity.vouching import Vouching


class IdentityService:
    """One per process.  Synchronous, safe for concurrent use.

    ``users``, ``groups``, ``tokens``, ``certificates``, ``factors`` and
    ``passkeys`` change what is on record; each change and its audit event are
    one transaction.  ``sessions`` signs browsers in.
    """

    def __init__(
        self,
        store: Store,
        hasher: PasswordHasher,
        clock: Clock,
        entropy: Entropy,
        policy: IdentityPolicy | None = None,
        changes: Changes | None = None,
        *,
        tools: FactorTools,
        directories: Sequence[DirectorySource] = (),
        providers: Sequence[ProviderSource] = (),
    ) -> None:
        policy = policy or IdentityPolicy()
        cache = TokenCache(policy.token_cache_ms, changes or LocalChanges())
        sources = [d.source for d in directories] + [p.source for p in providers]
        governed = {source.name: source.mapping.governed for source in sources}
        ledger = Ledger(store, clock, cache, governed)
        decoy = entropy(32).hex()
        desk = SessionDesk(store, clock, entropy, policy)
        check = FactorCheck(desk, tools)
        vouching = Vouching(ledger)
        standing = StandingCheck(store, clock, vouching, directories, providers)
        failures = Failures(store, clock, policy)
        self.directories: Final = Directories(store, vouching, standing, directories)
        self.providers: Final = Providers(store, clock, entropy, vouching, failures, providers)
        proof = Authentication(
            store,
            hasher,
            clock,
            decoy,
            policy,
            cache,
            check,
            self.directories,
            standing,
            failures,
        )
        fresh = FreshProof(proof)
        self.authenticate_password = proof.password
        self.authenticate_token = proof.token
        self.authenticate_certificate = proof.certificate
        self.known_token = proof.known_token
        self.known_digest = proof.known_digest
        self.users: Final = Accounts(ledger, hasher, policy)
        self.sessions: Final = SessionService(desk, proof, check, ledger, self.users.new_hash)
        self.factors: Final = SecondFactors(ledger, check, fresh)
        self.passkeys: Final = OwnPasskeys(ledger, check, fresh)
        self.groups: Final = Groups(ledger)
        self.tokens: Final = Tokens(ledger, entropy, policy)
        self.certificates: Final = ClientCertificates(ledger)
