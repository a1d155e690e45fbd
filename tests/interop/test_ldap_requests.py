"""Are our LDAP requests those of OpenLDAP's own client, octet for octet?"""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from chancery.wire import der, ldap, ldap_filter

pytestmark = pytest.mark.interop

BASE = "ou=people,dc=example,dc=org"

# RFC 4515 §4, every example, and what directories in the field are asked.
FILTERS = [
    "(cn=Babs Jensen)",
    "(!(cn=Tim Howes))",
    "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
    "(o=univ*of*mich*)",
    "(seeAlso=)",
    "(cn:caseExactMatch:=Fred Flintstone)",
    "(cn:=Betty Rubble)",
    "(sn:dn:2.4.6.8.10:=Barney Rubble)",
    "(o:dn:=Ace Industry)",
    "(:1.2.3:=Wilma Flintstone)",
    "(:DN:2.4.6.8.10:=Dino)",
    r"(o=Parens R Us \28for all your parenthetical needs\29)",
    r"(cn=*\2A*)",
    r"(filename=C:\5cMyFile)",
    r"(bin=\00\00\00\04)",
    r"(sn=Lu\c4\8di\c4\87)",
    r"(1.3.6.1.4.1.1466.0=\04\02\48\69)",
    "(cn=*)",
    "(cn=Müller)",
    "(uidNumber>=1000)",
    "(uidNumber<=1000)",
    "(cn~=Smit)",
    "(userCertificate;binary=*)",
    "(member:1.2.840.113556.1.4.1941:=cn=Alice,ou=people,dc=example,dc=org)",
    "(!(userAccountControl:1.2.840.113556.1.4.803:=2))",
]


def canonical(data: bytes) -> bytes:
    """The same BER with minimal lengths: OpenLDAP writes longer ones where it saves a copy."""
    parts = []
    while data:
        tag, size, start = data[0], data[1], 2
        if size >= 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[2:start])
        content = data[start : start + size]
        parts.append(der.tlv(tag, canonical(content) if tag & der.CONSTRUCTED else content))
        data = data[start + size :]
    return b"".join(parts)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def result(number: int, kind: ldap.Answer) -> bytes:
    content = der.tlv(der.ENUMERATED, b"\x00") + der.octet_string(b"") * 2
    return der.sequence(der.integer(number), der.tlv(kind, content))


def heard(listener: socket.socket, text: str) -> list[bytes]:
    """What OpenLDAP's client sends when somebody binds and asks for *text*."""
    requests: list[bytes] = []

    def serve() -> None:
        link, _ = listener.accept()
        with link:
            for number, kind in ((1, ldap.Answer.BIND), (2, ldap.Answer.DONE), (3, None)):
                data = b""
                while (size := ldap.size_of(data)) is None or len(data) < size:
                    part = link.recv(65_536)
                    assert part, f"closed after {data!r}"
                    data += part
                requests.append(data)
                if kind is not None:
                    link.sendall(result(number, kind))

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    subprocess.run(
        ["ldapsearch", "-x", "-H", f"ldap://127.0.0.1:{port}", "-D", f"cn=reader,{BASE}",
         "-w", "pässword", "-b", BASE, "-z", "2", "-l", "5", text, "uid", "entryUUID"],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    thread.join(10)
    return requests


@pytest.mark.skipif(shutil.which("ldapsearch") is None, reason="no ldapsearch (Debian: ldap-utils)")
@pytest.mark.parametrize("text", FILTERS)
def test_bind_search_and_unbind(listener: socket.socket, text: str) -> None:
    bind, search, unbind = (canonical(request) for request in heard(listener, text))

    assert bind == ldap.bind(1, f"cn=reader,{BASE}", "pässword")
    condition = ldap_filter.parse(text).encode()
    wanted = ldap.search(
        2, BASE, ldap.Scope.SUBTREE, condition, ["uid", "entryUUID"], size_limit=2, time_limit_s=5
    )
    assert search == wanted
    assert unbind == ldap.unbind(3)
