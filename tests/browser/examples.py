"""Where the pages with parameters are: a path template, and one address that fits it.

``made`` is what ``world.furnish`` made.  Every GET page of the route table is photographed and
checked; one with parameters needs a line here, or stays unseen.
"""

from collections.abc import Callable, Mapping

Made = Mapping[str, str]

EXAMPLES: dict[str, Callable[[Made], str]] = {
    "/console/authorities/{name}": lambda _: "/console/authorities/issuing-ca",
    "/console/authorities/{name}/edit": lambda _: "/console/authorities/issuing-ca/edit",
    "/console/authorities/{name}/renew": lambda _: "/console/authorities/issuing-ca/renew",
    "/console/authorities/{name}/cross-sign": lambda _: (
        "/console/authorities/issuing-ca/cross-sign"
    ),
    "/console/authorities/{name}/certificate": lambda _: (
        "/console/authorities/issuing-ca/certificate"
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
}
"""Pages that show nothing by themselves, and why; they have tests of their own."""

VISITORS = {"/console/sign-in/password": "officer1"}
"""Who looks at a page, where the first of ``tour.PEOPLE`` with the permission is not the one."""
