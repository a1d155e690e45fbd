"""One OpenID provider: where to send a browser, and what its code is worth."""

import base64
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from chancery.adapters.oidc.documents import Away, Documents
from chancery.adapters.oidc.plan import ProviderPlan
from chancery.domain.directory import Trial
from chancery.domain.errors import NotAuthenticated, Unavailable
from chancery.ports_directory import Authorization

_log = logging.getLogger(__name__)
_REFUSED: Final = frozenset({400, 401, 403})
_ERROR: Final = re.compile(r"[a-z_]{1,40}")
_HALF_HASH: Final = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class _Allowed(JWSRegistry):
    """Takes the algorithms that the settings name, and nothing else whatever the token says."""

    def get_alg(self, name: str) -> Any:
        if not self.allowed or name not in self.allowed or name not in self.algorithms:
            raise UnsupportedAlgorithmError(f"{name} is not allowed")
        return self.algorithms[name]


class OidcProvider:
    """Implements ``ports_directory.IdentityProvider``: code flow with PKCE, nothing else."""

    def __init__(self, plan: ProviderPlan, documents: Documents | None = None) -> None:
        self._plan = plan
        self._documents = documents or Documents(plan)
        self._registry = _Allowed(algorithms=plan.algorithms, strict_check_header=False)

    def authorization_url(self, wanted: Authorization) -> str:
        parameters = {
            "response_type": "code",
            "client_id": self._plan.client_id,
            "redirect_uri": wanted.redirect_uri,
            "scope": " ".join(self._plan.scopes),
            "state": wanted.state,
            "nonce": wanted.nonce,
            "code_challenge": wanted.challenge,
            "code_challenge_method": "S256",
        }
        if wanted.fresh:
            parameters |= {"prompt": "login", "max_age": "0"}
        if self._plan.acr_values:
            parameters["acr_values"] = " ".join(self._plan.acr_values)
        return _with(self._metadata()["authorization_endpoint"], parameters)

    def announces_issuer(self) -> bool:
        return self._metadata().get("authorization_response_iss_parameter_supported") is True

    def redeem(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        try:
            answer = self._exchanged(code, verifier, redirect_uri)
            claims = self._verified(answer)
            return claims | self._more(claims, answer) if self._plan.userinfo else claims
        except Away as error:
            raise self._away(error) from error

    def end_session_url(self, return_to: str) -> str | None:
        endpoint = self._metadata().get("end_session_endpoint")
        if endpoint is None:
            return None
        parameters = {"client_id": self._plan.client_id, "post_logout_redirect_uri": return_to}
        return _with(endpoint, parameters)

    def examine(self) -> list[Trial]:
        issuer, started = self._plan.issuer, time.monotonic()
        try:
            fresh = Documents(self._plan)
            metadata = fresh.metadata()
            fresh.key("", self._plan.algorithms[0])
        except Away as error:
            return [Trial(issuer, well=False, said=str(error))]
        taken_ms = (time.monotonic() - started) * 1000
        said = [Trial(issuer, well=True, said=f"answers as it should, in {taken_ms:.0f} ms")]
        signs = metadata.get("id_token_signing_alg_values_supported", [])
        if not set(self._plan.algorithms) & set(signs):
            names = ", ".join(map(str, signs))
            said.append(Trial(issuer, well=False, said=f"signs with {names}: not allowed here"))
        if "S256" not in metadata.get("code_challenge_methods_supported", []):
            said.append(Trial(issuer, well=False, said="does not say that it knows PKCE with S256"))
        return said

    def _metadata(self) -> dict[str, Any]:
        try:
            return self._documents.metadata()
        except Away as error:
            raise self._away(error) from error

    def _exchanged(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        plan = self._plan
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if plan.client_secret is None or plan.client_auth == "post":
            form["client_id"] = plan.client_id
        if plan.client_secret is not None and plan.client_auth == "post":
            form["client_secret"] = plan.client_secret
        elif plan.client_secret is not None:
            pair = f"{quote(plan.client_id, safe='')}:{quote(plan.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        status, answer = self._documents.ask(
            "POST",
            self._documents.metadata()["token_endpoint"],
            headers=headers,
            form=form,
            accept=_REFUSED | {200},
        )
        if status != 200:
            error = str(answer.get("error"))
            raise _refused(
                f"{plan.name} refuses this sign-in"
                + (f": {error}" if _ERROR.fullmatch(error) else ""),
                "oidc.token",
            )
        return answer

    def _verified(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the claims of the ID token; its algorithm, key and signature are right."""
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _refused(f"{self._plan.name} sent no ID token", "oidc.id-token")
        try:
            found = jwt.decode(token, self._key, self._plan.algorithms, self._registry)
        except (JoseError, ValueError, RecursionError) as error:
            _log.warning("provider %s: its ID token does not hold: %s", self._plan.name, error)
            raise _refused(
                f"the ID token of {self._plan.name} does not hold", "oidc.signature"
            ) from error
        claims = dict(found.claims)
        self._check_access_token(claims, answer, str(found.header["alg"]))
        return claims

    def _key(self, token: Any) -> Key:
        header: Mapping[str, Any] = token.headers()
        kid, algorithm = header.get("kid"), str(header.get("alg"))
        self._registry.get_alg(algorithm)  # before anything is fetched for it
        key = self._documents.key(kid if isinstance(kid, str) else None, algorithm)
        if key is None or key.key_type == "oct":
            raise ValueError("no key that signs so is published")
        return key

    def _check_access_token(
        self, claims: dict[str, Any], answer: dict[str, Any], algorithm: str
    ) -> None:
        """Check ``at_hash`` where there is one (OpenID Connect Core §3.1.3.8)."""
        given = claims.get("at_hash")
        if given is None:
            return
        digest = _HALF_HASH.get(algorithm[-3:], hashlib.sha512)  # Ed25519 hashes with SHA-512
        whole = digest(str(answer.get("access_token")).encode()).digest()
        wanted = base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=")
        if not hmac.compare_digest(str(given).encode(), wanted):
            raise _refused(
                f"the tokens of {self._plan.name} do not belong together", "oidc.at-hash"
            )

    def _more(self, claims: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """What the UserInfo endpoint says and the ID token does not."""
        endpoint = self._documents.metadata().get("userinfo_endpoint")
        token = answer.get("access_token")
        if endpoint is None or not isinstance(token, str):
            return {}
        found = self._documents.get(endpoint, Authorization=f"Bearer {token}")
        if found.get("sub") != claims.get("sub"):  # §5.3.2
            raise _refused(f"{self._plan.name} speaks of somebody else", "oidc.userinfo")
        return {name: value for name, value in found.items() if name not in claims}

    def _away(self, error: Away) -> Unavailable:
        _log.warning("provider %s: %s", self._plan.name, error)
        return Unavailable(
            f"the provider {self._plan.name} does not answer as it should",
            field="provider",
            rule="provider.away",
            remedy="try again later, or sign in another way",
        )


def _with(endpoint: str, parameters: Mapping[str, str]) -> str:
    joint = "&" if urlsplit(endpoint).query else "?"
    return endpoint + joint + urlencode(parameters, quote_via=quote)


def _refused(text: str, rule: str) -> NotAuthenticated:
    return NotAuthenticated(
        text, field="provider", rule=rule, remedy="sign in again from the start"
    )
