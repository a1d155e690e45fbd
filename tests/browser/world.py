"""A served instance with something in it, and a real browser in front of it."""

import base64
import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

from chancery.adapters.backup.device import Device
from chancery.adapters.backup.pins import Costs
from chancery.wire.backup_source import SourceSecret
from services.csr import p256_csr
from services.instance import Instance
from services.rest import Rest

CHROMIUM = "/usr/bin/chromium-headless-shell"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
DESKTOP = (1366, 768)
PHONE = (390, 844)
AXE = Path(__file__).parent / "vendor/axe/axe.min.js"
NewPage = Callable[..., Page]
"""``new_page(theme="dark", size=PHONE)``."""
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d ")


@dataclass
class Seen:
    """What the browser complained about: broken policy, script errors, missing files."""

    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        where = message.location.get("url", "")
        if _REFUSED.match(message.text) and "/static/" not in where:
            return  # a page that says no on purpose; its text is the test's business
        self.complaints.append(f"{where}: {message.text}")


@dataclass
class World:
    """Where the pages are, and who may come.  Passkeys need the host name, not the address."""

    instance: Instance
    browser: Browser
    made: dict[str, str]  # ids of what ``furnish`` made

    @property
    def url(self) -> str:
        return str(self.instance.facts["https"]).replace("127.0.0.1", "localhost")

    def password(self, name: str) -> str:
        return str(self.instance.facts["users"][name]["password"])

    @contextmanager
    def context(
        self, seen: Seen, *, theme: str = "light", size: tuple[int, int] = DESKTOP
    ) -> Iterator[BrowserContext]:
        """A browser of its own: cookies, storage, theme."""
        made = self.browser.new_context(
            base_url=self.url,
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="reduce",
        )
        made.on("page", seen.watch)
        made.set_default_timeout(15_000)
        try:
            yield made
        finally:
            made.close()

    def sign_in(self, page: Page, name: str, password: str | None = None) -> None:
        """Sign in by name and password, as far as that goes."""
        page.goto("/console/sign-in")
        page.fill("#name", name)
        page.fill("#password", password or self.password(name))
        page.click("form[action='/console/sign-in'] button[type=submit]")
        page.wait_for_url(lambda url: "/sign-in?" not in url and not url.endswith("/sign-in"))


@contextmanager
def served(
    directory: Path, playwright: Playwright, settings: str = "", *, bare: bool = False
) -> Iterator[World]:
    """An instance that runs, with a browser that trusts its certificate (passkeys ask for that).

    *settings*: more TOML for its settings; *bare*: without anything in it.
    """
    made = Instance.create(directory)
    with (directory / "chancery.toml").open("a") as file:
        file.write(settings)
        file.write("" if bare else '\n[backup]\nmedium = "../usb"\n')
    with made.serving():
        pin = f"--ignore-certificate-errors-spki-list={_pin(directory / 'tls/server.pem')}"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, pin])
        try:
            yield World(made, browser, {} if bare else furnish(made))
        finally:
            browser.close()


def furnish(instance: Instance) -> dict[str, str]:
    """Requests and certificates in every state; return what they are called, for examples."""
    work = instance.directory.parent
    made = {}
    for state in ("pending", "denied", "issued", "revoked"):
        csr = work / f"{state}.csr"
        csr.write_text(p256_csr(f"{state}.example.org"))
        done = instance.json(
            "request", "submit", str(csr), "--profile", "tls-server", user="requester"
        )
        made[f"{state}-request"] = done["id"]
    instance.json(
        "request", "deny", made["denied-request"], "--reason", "no such host", user="officer1"
    )
    for state in ("issued", "revoked"):
        for officer in ("officer1", "officer2"):
            done = instance.json("request", "approve", made[f"{state}-request"], user=officer)
        made[f"{state}-serial"] = done["serial"]
    revoked = made["revoked-serial"]
    instance.json("certificate", "revoke", revoked, "--reason", "superseded", user="officer1")
    made["operation"] = revoked_together(instance)
    made["wish"] = wished(instance, work / "wished.csr")
    made["import"] = previewed(instance)
    made["backup"] = backed_up(instance)
    made |= kept_keys(instance)
    return made


INVENTORY = """\
Serial Number,Issuer,Common Name,Expires,Status
0A:1B:2C,CN=Regional CA,shop.example.org,2031-05-01,active
0A:1B:2D,CN=Regional CA,mail.example.org,2031-06-15,active
0A:1B:2E,CN=Regional CA,old.example.org,2031-02-01,revoked
0A:1B:2F,CN=Regional CA,wiki.example.org,soon,active
"""


def previewed(instance: Instance) -> str:
    """Bring a list of somebody else's certificates, and leave it at the preview."""
    body = {"files": [{"name": "inventory.csv", "text": INVENTORY}]}
    return str(Rest(instance, "operator")("POST", "/imports", body).body["id"])


def backed_up(instance: Instance) -> str:
    """A backup that two ordered, and an order that waits for the second."""
    operator, admin = Rest(instance, "operator"), Rest(instance, "admin")
    usb = Device(instance.directory.parent / "usb", costs=Costs(64, 1, 4))
    device, _ = usb.make("correct7horse", label="USB 1")
    source = str(SourceSecret(bytes(32)).public())
    told = {"kind": "source", "public": source, "threshold": 3, "shares": 5, "label": "2026"}
    for key in (told, {"kind": "device", "public": device.recipient, "device": device.id}):
        made = operator("POST", "/backups/keys", key)
        admin("POST", f"/backups/keys/{made.body['id']}/approve", {})
    order = operator("POST", "/backups/orders", {"comment": "before the move"})
    admin("POST", f"/backups/orders/{order.body['id']}/approve", {})
    operator("POST", "/backups/orders", {"every_s": 86_400})
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        last = operator("GET", "/backups/standing").body["last"]
        if last is not None:
            return str(last["id"])
        time.sleep(0.1)
    raise AssertionError(f"no backup was made: {instance.log.read_text()[-2000:]}")


def kept_keys(instance: Instance) -> dict[str, str]:
    """A key with two versions, an export that waits for others, and components on their way."""
    admin, operator = Rest(instance, "admin"), Rest(instance, "operator")
    rights = {"ca-operator": ["view", "use", "manage"], "ra-officer": ["view", "approve", "hold"]}
    admin(
        "PUT", "/key-groups/vault", {"description": "Applications", "owner": "", "grants": rights}
    )
    for name, template in (("app-data", "data-aes-256"), ("kek", "kek-aes-256")):
        operator("POST", "/keys", {"name": name, "group": "vault", "template": template})
    operator("POST", "/keys/app-data/rotate", {"reason": "yearly"})
    asked = operator("POST", "/keys/kek/split", {"holders": ["officer1", "officer2"]})
    wanted = {"name": "typed", "group": "vault", "template": "kek-aes-256", "total": 3}
    begun = operator("POST", "/key-components", wanted)
    return {"key": "app-data", "agreement": asked.body["order"]["id"], "entry": begun.body["id"]}


def revoked_together(instance: Instance) -> str:
    """Certificates revoked by one order."""
    instance.automatic_ra("robots")
    work = instance.directory.parent
    for number in range(3):
        csr = work / f"old-{number}.csr"
        csr.write_text(p256_csr(f"old-{number}.example.org"))
        asked = ("--profile", "tls-server", "--ra", "robots")
        instance.json("request", "submit", str(csr), *asked, user="requester")
    order = ("--subject", "CN=old-*", "--reason", "cessationOfOperation", "--comment", "rack 12")
    done = instance.json("certificate", "revoke-matching", *order, "--yes", user="officer1")
    return str(done["id"])


def wished(instance: Instance, csr: Path) -> str:
    """A certificate of somebody without an account, and their wish to revoke it."""
    csr.write_text(p256_csr("wished.example.org"))
    asked = ("--profile", "tls-server", "--ra", "main", "--anonymous")
    done = instance.json("request", "submit", str(csr), *asked)
    for officer in ("officer1", "officer2"):
        instance.json("request", "approve", done["id"], user=officer)
    words = ("--code", done["code"], "--reason", "superseded", "--note", "replaced last week")
    return str(instance.json("revocation", "ask", done["id"], *words)["id"])


def accessible(page: Page, *, only: str | None = None) -> list[str]:
    """What axe-core finds wrong with the page as it is, by all rules or *only* one: rule, where."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    options = {"resultTypes": ["violations"]} | ({"runOnly": [only]} if only else {})
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{page.url}: {violation['id']}: {violation['help']}: {json.dumps(node['target'])}"
        f" {node.get('failureSummary', '')[:300]}"
        for violation in found["violations"]
        for node in violation["nodes"][:5]
    ]


def accessible_in_both_themes(page: Page) -> list[str]:
    """What axe-core finds in light and in dark: between them, nothing but colours differs."""
    wrong = []
    for theme, only in (("light", None), ("dark", "color-contrast")):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        wrong += [f"{theme}: {finding}" for finding in accessible(page, only=only)]
    return wrong


def too_wide(page: Page) -> str | None:
    """Say whether the page must be scrolled sideways."""
    wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return f"{page.url}: {wide} px wide in {room} px" if wide > room else None


def _pin(certificate: Path) -> str:
    """What Chromium takes for a certificate it shall trust: base64 SHA-256 of the key's DER."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def chromium_is_there() -> bool:
    try:
        return (
            subprocess.run([CHROMIUM, "--version"], capture_output=True, check=False).returncode
            == 0
        )
    except FileNotFoundError:
        return False
