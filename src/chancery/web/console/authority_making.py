"""New authorities: made here, taken in from elsewhere, and certified by others."""

from typing import Any, Final

from starlette.responses import Response

from chancery.domain.algorithms import KeyAlgorithm, SignatureAlgorithm
from chancery.domain.authority import CRL_URLS, LEVELS, CrlIdp, SecurityLevel
from chancery.domain.errors import BadRequest
from chancery.domain.profile import NameConstraints
from chancery.domain.vaults import SOFTWARE
from chancery.services.authority import CrlWishes, Extensions, ImportedAuthority, NewAuthority
from chancery.web.console.authorities import MANAGE, READ, TRIGGERS, crl_choices, crl_lists
from chancery.web.fields import Form
from chancery.web.pages import Pages
from chancery.web.visit import Visit
from chancery.wire import pem

pages = Pages("/console/authorities", section="authorities")

_MAX_FILE: Final = 4_000_000
_KINDS: Final = (
    ("subordinate", "Below one of ours", "Its certificate is signed by the parent, here and now."),
    ("root", "A root of its own", "It signs its own certificate. Offline roots: use a ceremony."),
    ("external", "Certified elsewhere", "Its CSR waits until you bring the certificate."),
)


@pages.get("/_new", MANAGE)
def asked(visit: Visit) -> Response:
    authorities = visit.services.authorities.list(visit.principal)
    return visit.render(
        "console/authorities/new.html",
        kinds=_KINDS,
        kind=visit.query.text("kind", "subordinate"),
        parents=[
            (one.name, f"{one.name} ({one.subject.text})")
            for one in authorities
            if one.key_id is not None and not one.offline
        ],
        parent=visit.query.text("parent"),
        **_choices(visit),
    )


@pages.post("/_new", MANAGE, step_up=True, form=asked)
def make(visit: Visit) -> Response:
    form = visit.form
    kind = form.text("kind", "subordinate")
    if kind == "subordinate" and not form.text("parent"):
        raise BadRequest(
            "a subordinate needs a parent",
            field="parent",
            rule="required",
            remedy="choose one, or make a root",
        )
    new = NewAuthority(
        subject=form.required("subject"),
        parent=form.text("parent") if kind == "subordinate" else None,
        external=kind == "external",
        key_algorithm=_one_of(KeyAlgorithm, form, "key_algorithm"),
        extensions=extensions(form),
        **_common(form),
        **crl_choices(form),
        **crl_lists(form),
    )
    made = visit.services.authorities.create(visit.principal, new)
    words = {
        "external": f"{made.name} has a key. Take its CSR to whoever will certify it.",
        "root": f"{made.name} stands, and its first CRL is published.",
    }
    if made.certificate is None and kind == "subordinate":
        return visit.redirect(
            "/console/authorities/_pending", f"{made.name} waits for approvals.", "info"
        )
    return visit.redirect(
        f"/console/authorities/{made.name}",
        words.get(kind, f"{made.name} stands, and its first CRL is published."),
    )


@pages.get("/_import", MANAGE)
def asked_to_import(visit: Visit) -> Response:
    return visit.render("console/authorities/import.html", **_choices(visit))


@pages.post("/_import", MANAGE, form=asked_to_import, max_body=_MAX_FILE)
def take_in(visit: Visit) -> Response:
    form = visit.form
    new = ImportedAuthority(
        certificate=_octets(form, "certificate"),
        chain=_octets(form, "chain"),
        key=_octets(form, "key"),
        pkcs12=_octets(form, "pkcs12"),
        passphrase=form.raw("passphrase") or None,
        offline=form.flag("offline"),
        token_label=form.text("token_label") or None,
        token_id=form.text("token_id"),
        **_common(form),
        **crl_choices(form),
        **crl_lists(form),
    )
    made = visit.services.authorities.import_authority(visit.principal, new)
    return visit.redirect(f"/console/authorities/{made.name}", f"{made.name} is taken in.")


@pages.get("/_container", MANAGE)
def asked_for_container(visit: Visit) -> Response:
    return visit.render("console/authorities/container.html")


@pages.post("/_container", MANAGE, form=asked_for_container)
def make_container(visit: Visit) -> Response:
    form = visit.form
    made = visit.services.authorities.create_container(
        visit.principal,
        form.required("name"),
        form.text("owner_group") or None,
        form.text("description"),
    )
    return visit.redirect("/console/authorities", f"Container {made.name} is there.")


@pages.get("/{name}/csr", READ)
def csr(visit: Visit) -> Response:
    name = visit.path["name"]
    der = visit.services.authorities.csr(visit.principal, name)
    text = pem.encode("CERTIFICATE REQUEST", der)
    return visit.download(text.encode(), f"{name}.csr", "application/x-pem-file")


@pages.get("/{name}/certificate", MANAGE)
def asked_for_certificate(visit: Visit) -> Response:
    authority = visit.services.authorities.show(visit.principal, visit.path["name"])
    return visit.render("console/authorities/certificate.html", authority=authority)


@pages.post("/{name}/certificate", MANAGE, form=asked_for_certificate, max_body=_MAX_FILE)
def bring_certificate(visit: Visit) -> Response:
    name = visit.path["name"]
    given = _octets(visit.form, "certificate")
    if given is None:
        raise BadRequest(
            "no certificate was given", field="certificate", remedy="choose a file or paste PEM"
        )
    visit.services.authorities.upload_certificate(
        visit.principal, name, given, _octets(visit.form, "chain")
    )
    return visit.redirect(f"/console/authorities/{name}", "The certificate is installed.")


def extensions(form: Form) -> Extensions:
    """What the fields of a CA certificate ask for; blank ones mean the usual."""
    permitted, excluded = (tuple(form.text(name).split()) for name in ("permitted", "excluded"))
    constraints = NameConstraints(permitted, excluded) if permitted or excluded else None
    return Extensions(
        days=form.number("days", least=1, most=36_500),
        path_length=form.number("path_length", most=100),
        name_constraints=constraints,
    )


def _choices(visit: Visit) -> dict[str, Any]:
    containers = visit.services.authorities.containers(visit.principal)
    return {
        "containers": [one.name for one in containers],
        "keys": [one.value for one in KeyAlgorithm],
        "signatures": [one.value for one in SignatureAlgorithm],
        "levels": [(level.value, _words(level)) for level in LEVELS],
        "vaults": visit.services.authorities.vaults.names,
        "idps": [one.value for one in CrlIdp],
        "crl_urls": "\n".join(CRL_URLS),
        "usual": CrlWishes(),
        "triggers": TRIGGERS,
    }


def _words(level: SecurityLevel) -> str:
    rule = LEVELS[level]
    sizes = f"RSA from {rule.min_rsa_bits} bits, curves from {rule.min_curve_bits}"
    return f"{level.value}: {sizes}, {' or '.join(rule.vaults)} keys"


def _common(form: Form) -> dict[str, Any]:
    signature = form.text("signature_algorithm")
    return {
        "name": form.required("name"),
        "container": form.required("container"),
        "security_level": _one_of(SecurityLevel, form, "security_level"),
        "signature_algorithm": _one_of(SignatureAlgorithm, form, "signature_algorithm")
        if signature
        else None,
        "vault": form.text("vault") or SOFTWARE,
        "silo": form.text("silo"),
        "region": form.text("region"),
    }


def _one_of(kind: Any, form: Form, name: str) -> Any:
    try:
        return kind(form.required(name))
    except ValueError:
        raise BadRequest(
            f"no such choice: {form.text(name)[:40]!r}",
            field=name,
            rule="choice",
            remedy="one of: " + ", ".join(kind),
        ) from None


def _octets(form: Form, name: str) -> bytes | None:
    """A file, or what was pasted; None where neither was given."""
    files = [upload for upload in form.files(name) if upload.data]
    if files:
        return files[0].data
    pasted = form.text(f"{name}_text")
    return pasted.encode() if pasted else None
