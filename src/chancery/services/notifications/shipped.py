"""The words that ship with the release, and made-up values to try a template with."""

from collections.abc import Mapping
from typing import Any, Final

from chancery.domain.notification import Event, MessageTemplate

_REQUEST: Final = """\
Subject:    {{ request.subject }}
Names:      {{ request.names | join(", ") }}
Profile:    {{ request.profile }} of {{ request.ra }}, issued by {{ request.authority }}
Requester:  {{ request.requester }}
"""
_WITHIN: Final = " within {% if days == 1 %}a day{% else %}{{ days }} days{% endif %}"
_KEY: Final = """\
Key:        {{ key.name }}, version {{ key.version }}, {{ key.kind }}
Group:      {{ key.group }}
State:      {{ key.state }}
{% if key.custodian %}Custodian:  {{ key.custodian }}
{% endif %}"""
_FOOT: Final = "\n{{ url }}\n"
_EXPIRING: Final = (
    "{% if certificates | length == 1 %}{{ certificates[0].subject }} expires"
    "{% else %}{{ certificates | length }} certificates expire{% endif %}"
    " within {% if days == 1 %}a day{% else %}{{ days }} days{% endif %}"
)

_TEXTS: Final[Mapping[Event, tuple[str, str]]] = {
    Event.REQUEST_WAITING: (
        "Request waiting: {{ request.subject or request.id }}",
        "A certificate request waits for your decision.\n\n"
        + _REQUEST
        + "Approvals:  {{ request.approvals_needed }} needed\n"
        "Decide by:  {{ request.expires_at | when }}\n" + _FOOT,
    ),
    Event.REQUEST_APPROVED: (
        "Approved: {{ request.subject or request.id }}",
        'Your request was approved by {{ approvers | join(", ") }}.\n\n' + _REQUEST + _FOOT,
    ),
    Event.REQUEST_DENIED: (
        "Denied: {{ request.subject or request.id }}",
        "Your request was denied by {{ decided_by }}.\n\n"
        "Reason:     {{ reason }}\n" + _REQUEST + _FOOT,
    ),
    Event.CERTIFICATE_ISSUED: (
        "Issued: {{ certificate.subject or certificate.serial }}",
        "A certificate was issued.\n\n" + _REQUEST + "Serial:     {{ certificate.serial }}\n"
        "Valid:      {{ certificate.not_before | when }} to {{ certificate.not_after | when }}\n"
        "SHA-256:    {{ certificate.sha256 }}\n\nFetch it here:" + _FOOT,
    ),
    Event.CERTIFICATE_EXPIRING: (
        _EXPIRING,
        "These certificates expire soon and have no successor yet:\n\n"
        "{% for one in certificates %}\n"
        "- {{ one.subject or one.serial }}\n"
        '  {{ one.names | join(", ") }}\n'
        "  serial {{ one.serial }} of {{ one.authority }}, until {{ one.not_after | when }}\n"
        "{% endfor %}\n"
        "\nRenew them in time: `chancery certificate renew SERIAL`, or here:" + _FOOT,
    ),
    Event.REVOCATION_REQUESTED: (
        "Revocation wished: {{ certificate.subject or certificate.serial }}",
        "Somebody who knows the code of a request asks to revoke what came of it.\n\n"
        "Subject:  {{ certificate.subject }}\n"
        "Serial:   {{ certificate.serial }} of {{ certificate.authority }}\n"
        "Reason:   {{ reason }}\n"
        "{% if note %}Note:     {{ note }}\n{% endif %}"
        "\nIt is valid until an RA officer answers:" + _FOOT,
    ),
    Event.CRL_LATE: (
        "{% if expired %}CRL expired{% else %}CRL late{% endif %}: {{ authority }}",
        "{% if expired %}\n"
        "The CRL of {{ authority }} has expired: relying parties may refuse every certificate"
        " of this CA.\n"
        "{% else %}\n"
        "The CRL of {{ authority }} should have been replaced by now.\n"
        "{% endif %}\n\n"
        "Number:       {{ number }}\n"
        "Made:         {{ this_update | when }}\n"
        "In force to:  {{ next_update | when }}\n"
        "{% if found %}Where and why: {{ found }}\n{% endif %}" + _FOOT,
    ),
    Event.CA_EXPIRING: (
        "CA {{ authority }} expires within {{ days }} days",
        "The certificate of the CA {{ authority }} expires on {{ not_after | when }}.\n\n"
        "Subject:  {{ subject }}\n"
        "Serial:   {{ serial }}\n\n"
        "Nothing it issues can outlive it.  Renew it, or roll over to a new key.\n" + _FOOT,
    ),
    Event.JOB_FAILED: (
        "Job failed: {{ job.kind }}",
        "A job has failed and is not tried again by itself.\n\n"
        "Kind:   {{ job.kind }}\n"
        "Id:     {{ job.id }}\n"
        "Error:  {{ job.error }}\n\n"
        "`chancery job retry {{ job.id }}` tries it again.\n" + _FOOT,
    ),
    Event.BACKUP_CONCERN: (
        "Backups: {{ concern.text }}",
        "{{ concern.text }}\n\nSince:  {{ concern.at | when }}\n\n{{ concern.remedy }}\n" + _FOOT,
    ),
    Event.KEY_ROTATION_DUE: (
        "Key {{ key.name }}: {% if late %}its rotation is late{% else %}a new version"
        + _WITHIN
        + "{% endif %}",
        "{% if late %}\n"
        "{{ key.name }} was to get a new version, and did not: it is {{ key.state }}.\n"
        "{% else %}\n"
        "{{ key.name }} gets a new version by itself.  What the old one protected is"
        " {% if overlap < 0 %}readable on, for good{% else %}readable for {{ overlap }} more days"
        "{% endif %}.\n"
        "{% endif %}\n\n" + _KEY + "Due:        {{ due | when }}\n\n"
        "Whoever keeps a copy of the key must get the new one.  Rotate it yourself at a better"
        " time: `chancery key rotate {{ key.name }}`.\n" + _FOOT,
    ),
    Event.KEY_EXPIRING: (
        "Key {{ key.name }} {% if late %}has ended{% else %}ends" + _WITHIN + "{% endif %}",
        "{{ key.name }} protects nothing new from {{ due | when }} on, and nothing renews it"
        " before.\n\n"
        + _KEY
        + "\nMake the next version in time: `chancery key rotate {{ key.name }}`.\n"
        + _FOOT,
    ),
    Event.TEST: (
        "A test from Chancery",
        "{{ by }} asked for this message, to see whether messages arrive.  They do.\n" + _FOOT,
    ),
}


def shipped(event: Event) -> MessageTemplate:
    """The template of *event* as it ships."""
    subject, text = _TEXTS[event]
    return MessageTemplate(event, subject, text)


_SAMPLE_REQUEST: Final = {
    "id": "019f5c4e-0000-7000-8000-000000000000",
    "ra": "servers",
    "authority": "issuing-ca",
    "profile": "tls-server",
    "requester": "rita",
    "subject": "CN=www.example.org,O=Example",
    "names": ["dns:www.example.org", "dns:example.org"],
    "key_algorithm": "ec-p256",
    "approvals_needed": 1,
    "created_at": 1_790_000_000,
    "expires_at": 1_792_592_000,
}
_SAMPLE_CERTIFICATE: Final = {
    "authority": "issuing-ca",
    "serial": "6b0f29c3a1d84e5f9c027a3be4d1507f",
    "subject": "CN=www.example.org,O=Example",
    "names": ["dns:www.example.org", "dns:example.org"],
    "profile": "tls-server",
    "requester": "rita",
    "not_before": 1_790_000_000,
    "not_after": 1_797_776_000,
    "sha256": "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069",
}
_SAMPLE_KEY: Final = {
    "name": "app-data",
    "version": 3,
    "kind": "aes-256",
    "group": "vault",
    "state": "active",
    "custodian": "olga",
}
_SAMPLES: Final[Mapping[Event, Mapping[str, Any]]] = {
    Event.REQUEST_WAITING: {"request": _SAMPLE_REQUEST},
    Event.REQUEST_APPROVED: {"request": _SAMPLE_REQUEST, "approvers": ["olga", "oscar"]},
    Event.REQUEST_DENIED: {
        "request": _SAMPLE_REQUEST,
        "decided_by": "olga",
        "reason": "The host is not ours.",
    },
    Event.CERTIFICATE_ISSUED: {"request": _SAMPLE_REQUEST, "certificate": _SAMPLE_CERTIFICATE},
    Event.CERTIFICATE_EXPIRING: {
        "days": 14,
        "requester": "rita",
        "certificates": [
            _SAMPLE_CERTIFICATE,
            _SAMPLE_CERTIFICATE | {"subject": "CN=mail.example.org", "names": []},
        ],
    },
    Event.REVOCATION_REQUESTED: {
        "wish": "019f5c4e-0000-7000-8000-000000000001",
        "certificate": _SAMPLE_CERTIFICATE,
        "requester": "rita",
        "reason": "keyCompromise",
        "note": "The laptop was stolen.",
    },
    Event.CRL_LATE: {
        "authority": "issuing-ca",
        "number": 412,
        "this_update": 1_790_000_000,
        "next_update": 1_790_604_800,
        "expired": False,
        "found": "http://pki.example.org/crl/issuing-ca.crl: it is past half of its life",
    },
    Event.CA_EXPIRING: {
        "authority": "issuing-ca",
        "subject": "CN=Example Issuing CA,O=Example",
        "serial": "4f1c8d",
        "not_after": 1_797_776_000,
        "days": 90,
    },
    Event.JOB_FAILED: {
        "job": {
            "id": "019f5c4e-0000-7000-8000-000000000001",
            "kind": "operation",
            "error": "the signer is away",
        }
    },
    Event.BACKUP_CONCERN: {
        "concern": {
            "kind": "drill-old",
            "text": "No restore has been tried for too long.",
            "remedy": "Bring custodians and device together: chancery backup drill",
            "at": 1_790_000_000,
        }
    },
    Event.KEY_ROTATION_DUE: {
        "key": _SAMPLE_KEY,
        "due": 1_797_776_000,
        "days": 14,
        "late": False,
        "overlap": -1,
    },
    Event.KEY_EXPIRING: {
        "key": _SAMPLE_KEY,
        "due": 1_797_776_000,
        "days": 14,
        "late": False,
        "overlap": -1,
    },
    Event.TEST: {"by": "ada"},
}


def sample(event: Event, base_url: str) -> dict[str, Any]:
    """Values as a real message of *event* has them."""
    return {
        **_SAMPLES[event],
        "event": event.value,
        "at": 1_790_000_000,
        "base_url": base_url,
        "url": f"{base_url}/console",
    }
