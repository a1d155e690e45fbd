"""Where the pages with parameters are: a path template, and one address that fits it.

``made`` is what ``world.furnish`` made.  Every GET page of the route table is photographed and
checked; one with parameters needs a line here, or stays unseen.
"""

from collections.abc import Callable, Mapping

Made = Mapping[str, str]

EXAMPLES: dict[str, Callable[[Made], str]] = {
    "/console/vaults/{name}": lambda _: "/console/vaults/hsm",
    "/console/doors/{protocol}/{label}": lambda _: "/console/doors/scep/main",
    "/console/doors/{protocol}/{label}/edit": lambda _: "/console/doors/scep/main/edit",
    "/console/doors/{protocol}/{label}/trusted": lambda _: "/console/doors/cmp/main/trusted",
    "/console/doors/{protocol}/{label}/accounts": lambda _: "/console/doors/acme/main/accounts",
    "/console/ocsp/{name}": lambda _: "/console/ocsp/issuing-ca",
    "/console/authorities/{name}": lambda _: "/console/authorities/issuing-ca",
    "/console/authorities/{name}/edit": lambda _: "/console/authorities/issuing-ca/edit",
    "/console/authorities/{name}/renew": lambda _: "/console/authorities/issuing-ca/renew",
    "/console/authorities/{name}/cross-sign": lambda _: (
        "/console/authorities/issuing-ca/cross-sign"
    ),
    "/console/authorities/{name}/certificate": lambda _: (
        "/console/authorities/issuing-ca/certificate"
    ),
    "/console/requests/new": lambda _: "/console/requests/new?ra=main&profile=tls-server",
    "/console/requests/decide": (
        lambda made: f"/console/requests/decide?id={made['pending-request']}"
    ),
    "/console/requests/{id}": lambda made: f"/console/requests/{made['pending-request']}",
    "/console/requests/{id}/findings": (
        lambda made: f"/console/requests/{made['pending-request']}/findings"
    ),
    "/console/requests/{id}/edit": (
        lambda made: f"/console/requests/{made['pending-request']}/edit"
    ),
    "/console/requests/{id}/key": lambda made: f"/console/requests/{made['issued-request']}/key",
    "/console/certificates/{authority}/{serial}": (
        lambda made: f"/console/certificates/issuing-ca/{made['issued-serial']}"
    ),
    "/console/certificates/{authority}/{serial}/revoke": (
        lambda made: f"/console/certificates/issuing-ca/{made['issued-serial']}/revoke"
    ),
    "/console/certificates/revoke-many": (
        lambda _: "/console/certificates/revoke-many?profile=tls-server&name=issued*"
    ),
    "/console/audit/{seq}": lambda _: "/console/audit/3",
    "/console/people/users/{name}": lambda _: "/console/people/users/officer1",
    "/console/people/users/{name}/edit": lambda _: "/console/people/users/officer1/edit",
    "/console/people/users/{name}/password": lambda _: "/console/people/users/officer1/password",
    "/console/people/users/{name}/certificates/new": (
        lambda _: "/console/people/users/officer1/certificates/new"
    ),
    "/console/people/groups/{name}": lambda _: "/console/people/groups/officers",
    "/console/people/groups/{name}/edit": lambda _: "/console/people/groups/officers/edit",
    "/console/profiles/{name}": lambda _: "/console/profiles/tls-client",
    "/console/profiles/{name}/edit": lambda _: "/console/profiles/tls-client/edit",
    "/console/profiles/{name}/versions": lambda _: "/console/profiles/tls-client/versions",
    "/console/profiles/{name}/json": lambda _: "/console/profiles/tls-client/json",
    "/console/profiles/{name}/export": lambda _: "/console/profiles/tls-client/export",
    "/console/dn-profiles/{name}": lambda _: "/console/dn-profiles/person",
    "/console/dn-profiles/{name}/edit": lambda _: "/console/dn-profiles/person/edit",
    "/console/dn-profiles/{name}/versions": lambda _: "/console/dn-profiles/person/versions",
    "/console/dn-profiles/{name}/json": lambda _: "/console/dn-profiles/person/json",
    "/console/dn-profiles/{name}/export": lambda _: "/console/dn-profiles/person/export",
    "/console/registrations/{name}": lambda _: "/console/registrations/main",
    "/console/registrations/{name}/edit": lambda _: "/console/registrations/main/edit",
    "/console/registrations/{name}/versions": lambda _: "/console/registrations/main/versions",
    "/console/registrations/{name}/json": lambda _: "/console/registrations/main/json",
    "/console/registrations/{name}/export": lambda _: "/console/registrations/main/export",
    "/console/imports/{id}": lambda made: f"/console/imports/{made['import']}",
    "/console/backups/{id}": lambda made: f"/console/backups/{made['backup']}",
    "/console/keys/_new/{template}": lambda _: "/console/keys/_new/data-aes-256",
    "/console/keys/_groups/{group}": lambda _: "/console/keys/_groups/vault",
    "/console/keys/_templates/{template}": lambda _: "/console/keys/_templates/kek-aes-256",
    "/console/keys/{name}/change/{event}": lambda _: "/console/keys/app-data/change/compromise",
    "/console/keys/{name}/rotate": lambda _: "/console/keys/app-data/rotate",
    "/console/keys/{name}/edit": lambda _: "/console/keys/app-data/edit",
    "/console/keys/{name}/export/{way}": lambda _: "/console/keys/kek/export/escrow",
    "/console/keys/{name}/try/{what}": lambda _: "/console/keys/app-data/try/encrypt",
    "/console/keys/{name}": lambda made: f"/console/keys/{made['key']}",
    "/console/keys/_agreements/{id}": (
        lambda made: f"/console/keys/_agreements/{made['agreement']}"
    ),
    "/console/keys/_components/{id}": lambda made: f"/console/keys/_components/{made['entry']}",
    "/console/operations/{id}": lambda made: f"/console/operations/{made['operation']}",
    "/console/notifications/templates/{event}": (
        lambda _: "/console/notifications/templates/request.waiting"
    ),
    "/console/revocations/{id}": lambda made: f"/console/revocations/{made['wish']}",
}
"""Path template -> address."""

SKIPPED = {
    "/console/sign-in/factor": "only in the middle of signing in",
    "/console/sign-in/enrol": "only in the middle of signing in",
    "/console/step-up": "only when a proof is stale",
    "/console/audit/export": "a file",
    "/console/notifications/outbox/{id}": "nothing is sent without a mail server",
    "/console/certificates/{authority}/{serial}/download": "a file",
    "/console/certificates/{authority}/{serial}/renew": "only near the end of a certificate",
    "/console/custody/bundles/{id}": "only while an offline CA is asked for something",
    "/console/custody/bundles/{id}/file": "a file",
    "/console/keys/{name}/escrow": "a file",
    "/console/keys/{name}/recover": "only for a key in escrow",
    "/requests/{id}/download/{form}": "a file",
    "/authorities/bundle/{form}": "a file",
    "/authorities/{name}/{form}": "a file",
    "/console/authorities/{name}/csr": "a file",
    "/requests/{id}": "only with the code of the request",
    "/console/sign-in/provider/{name}": "leads to the provider",
    "/console/sign-in/provider/{name}/return": "where the provider leads back to",
    "/console/sign-in/provider/{name}/end": "where the provider leads back to",
}
"""Pages that show nothing by themselves, and why; they have tests of their own."""

VISITORS = {
    "/console/sign-in/password": "officer1",
    "/console/requests/{id}/edit": "requester",
    "/console/requests/{id}/key": "requester",
    "/console/keys/_groups/{group}": "admin",
    "/console/keys/_templates/{template}": "admin",
    "/console/keys/{name}/try/{what}": "operator",
    "/console/keys/{name}": "operator",
}
"""Who looks at a page, where the first of ``tour.PEOPLE`` with the permission is not the one."""

ALSO: list[tuple[str, str, Callable[[Made], str]]] = [
    (
        "/console/requests/{id}",
        "issued",
        lambda made: f"/console/requests/{made['issued-request']}",
    ),
    (
        "/console/requests/{id}",
        "denied",
        lambda made: f"/console/requests/{made['denied-request']}",
    ),
    (
        "/console/certificates/{authority}/{serial}",
        "revoked",
        lambda made: f"/console/certificates/issuing-ca/{made['revoked-serial']}",
    ),
]
"""The same page in another state: path template, a word for it, its address."""
