"""The portal as strangers use it: with openssl at hand, with a mouse, with a keyboard, without scripts."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.world import PHONE, World
from services.csr import p256_csr

CODE = re.compile(r"[A-Z2-7]{4}(-[A-Z2-7]{4}){3}")


def shell(script: str, where: Path) -> str:
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=where, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def openssl_request(where: Path, *options: str) -> Path:
    words = ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-utf8", *options]
    words += ["-keyout", str(where / "own.key"), "-out", str(where / "own.csr")]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return where / "own.csr"


def check(page: Page) -> None:
    page.get_by_role("button", name="Check it").click()
    page.wait_for_url("**/check")


def send(page: Page) -> str:
    """Send what fits; return the code."""
    page.locator("#send button[type=submit]").click()
    page.wait_for_url("**/submit")
    code = page.get_by_label("Your code").inner_text()
    assert CODE.fullmatch(code)
    return code


def submitted(page: Page, csr: str) -> tuple[str, str]:
    """Bring *csr* by pasting; return the code and the request's id."""
    page.goto("/")
    page.fill("#csr", csr)
    check(page)
    code = send(page)
    page.get_by_role("link", name="Follow it").click()
    page.wait_for_url("**/requests/*")
    return code, page.url.rpartition("/")[2]


def approve(world: World, request_id: str) -> dict[str, Any]:
    for officer in ("officer1", "officer2"):
        done = world.instance.json("request", "approve", request_id, user=officer)
    assert done["state"] == "issued"
    return done


def test_from_the_command_that_is_shown_to_a_certificate_that_openssl_verifies(
    world: World,
    page: Page,
    tmp_path: Path,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    page.goto("/")
    page.fill("#names", "road.example.org 10.9.8.7")
    line = page.locator("#recipe pre").first
    expect(line).to_contain_text("DNS:road.example.org,IP:10.9.8.7")
    shell(line.inner_text(), tmp_path)
    page.set_input_files("#files", tmp_path / "road.example.org.csr")
    expect(page.locator("[data-chosen]")).to_have_text("road.example.org.csr")
    check(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Ready to send")
    expect(page.locator(".checked")).to_contain_text("Fits")
    check_accessibility(page)
    page.fill("#note", "the road")
    code = send(page)
    check_accessibility(page)
    assert code not in page.url

    page.get_by_role("link", name="Follow it").click()
    page.wait_for_url("**/requests/*")
    request_id = page.url.rpartition("/")[2]
    expect(page.locator(".steps-line .now")).to_contain_text("Waiting for approval")
    check_accessibility(page)
    assert world.instance.json("request", "show", request_id, user="officer1")["notes"]

    # Tomorrow, in another browser, with the code alone.
    page.context.clear_cookies()
    page.goto(f"/requests/{request_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    approve(world, request_id)
    page.goto("/status")
    page.fill("#code", code.lower().replace("-", " "))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/requests/{request_id}")
    expect(page.locator(".steps-line")).to_contain_text("Issued")
    check_accessibility(page)
    for form, name in (("PEM", "leaf"), ("With chain", "chain"), ("DER", "der"), ("PKCS#7", "p7")):
        with page.expect_download() as download:
            page.locator("#standing .downloads").get_by_role("link", name=form).first.click()
        download.value.save_as(tmp_path / name)
    roots = tmp_path / "roots.pem"
    page.goto("/authorities")
    with page.expect_download() as download:
        page.get_by_role("link", name="PEM", exact=True).first.click()
    download.value.save_as(roots)
    judged = shell("openssl verify -CAfile roots.pem -untrusted chain leaf", tmp_path)
    assert judged == "leaf: OK\n"
    public = shell("openssl x509 -in leaf -noout -pubkey", tmp_path)
    assert public == shell("openssl pkey -in road.example.org.key -pubout", tmp_path)
    assert public == shell("openssl x509 -inform der -in der -noout -pubkey", tmp_path)
    assert "road.example.org" in shell("openssl pkcs7 -inform der -in p7 -print_certs", tmp_path)


def test_many_at_once_have_one_code_and_each_its_verdict(
    page: Page,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    page.goto("/")
    good = [p256_csr(f"many{n}.example.org") for n in range(3)]
    page.fill("#csr", good[0] + good[1] + p256_csr("*.many.example.org"))
    page.evaluate(
        """([name, text]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([text], name));
            const drop = new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true});
            document.querySelector("[data-dropzone]").dispatchEvent(drop);
        }""",
        ["dropped.csr", good[2]],
    )
    expect(page.locator("[data-chosen]")).to_have_text("dropped.csr")
    check(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("3 requests of 4 can be sent")
    expect(page.locator(".checked-error")).to_contain_text(
        "Wildcards are not allowed", ignore_case=True
    )
    check_accessibility(page)
    send(page)
    expect(page.get_by_role("link", name="Follow it")).to_have_count(3)
    page.goto("/status")
    expect(page.locator("tbody tr")).to_have_count(3)
    check_accessibility(page)
    page.get_by_role("button", name="Forget my codes").click()
    expect(page.locator(".notice")).to_contain_text("no longer knows")
    expect(page.locator("tbody tr")).to_have_count(0)


def test_it_works_without_scripts(world: World) -> None:
    context = world.browser.new_context(base_url=world.url, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto("/?names=plain.example.org&key=rsa-3072")
        expect(page.locator("#recipe pre").first).to_contain_text("rsa:3072")
        expect(page.locator("#recipe pre").first).to_contain_text("DNS:plain.example.org")
        page.get_by_role("link", name=re.compile("^TLS client")).click()
        page.set_input_files(
            "#files",
            {
                "name": "plain.csr",
                "mimeType": "text/plain",
                "buffer": p256_csr("plain.example.org").encode(),
            },
        )
        check(page)
        code = send(page)
        page.goto("/status")
        expect(page.locator("tbody")).to_contain_text("plain.example.org")
        page.fill("#code", code)
        page.get_by_role("button", name="Open").click()
        expect(page.locator(".steps-line")).to_contain_text("Waiting for approval")
        page.get_by_role("button", name="Withdraw the request").click()
        expect(page.locator(".steps-line")).to_contain_text("Withdrawn")
    finally:
        context.close()


def test_hostile_text_is_shown_and_does_nothing(
    page: Page,
    tmp_path: Path,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    evil = "<img src=x onerror=alert(1)>\u202egro.elpmaxe\u200b{{7*7}}" + "\u0301" * 9
    csr = openssl_request(
        tmp_path,
        *("-subj", f"/O={evil.replace('/', chr(92) + '/')}/CN=www.example.org"),
        *("-addext", "subjectAltName=DNS:www.example.org"),
    )
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.goto("/")
    name = "\u202egnp.<b>x</b>.csr"
    page.set_input_files(
        "#files", {"name": name, "mimeType": "text/plain", "buffer": csr.read_bytes()}
    )
    check(page)
    expect(page.locator(".finding", has_text="cannot be seen")).to_be_visible()
    marks = page.locator("mark.hidden-character")
    assert {"U+202E", "U+200B", "U+0301"} <= set(marks.all_inner_texts())
    expect(page.locator(".checked")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".checked")).to_contain_text("{{7*7}}")
    expect(page.locator(".checked img, .checked b")).to_have_count(0)
    body = page.locator("body").inner_text()
    assert not set(body) & set("\u202e\u200b")
    check_accessibility(page)


def test_a_private_key_does_not_leave(page: Page, tmp_path: Path) -> None:
    openssl_request(tmp_path, "-subj", "/CN=x")
    posts: list[str] = []
    page.on("request", lambda asked: posts.append(asked.url) if asked.method == "POST" else None)
    page.goto("/")
    page.fill("#csr", (tmp_path / "own.key").read_text())
    page.get_by_role("button", name="Check it").click()
    expect(page.locator("[data-secret]")).to_be_visible()
    page.fill("#csr", "")
    page.set_input_files("#files", tmp_path / "own.key")
    page.get_by_role("button", name="Check it").click()
    expect(page.locator("[data-secret]")).to_be_visible()
    assert posts == []


def test_nothing_brought_is_told_beside_the_box(
    page: Page,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    page.goto("/")
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_role("alert").first).to_contain_text("there is no request yet")
    page.fill("#csr", "not a request")
    check(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not acceptable yet")
    check_accessibility(page)
    page.goto("/status")
    page.fill("#code", "AAAA-BBBB-CCCC-DDDD")
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#code-error")).to_contain_text("no request has this code")
    expect(page.locator("#code")).to_have_value("AAAA-BBBB-CCCC-DDDD")
    check_accessibility(page)


def test_the_holder_of_the_key_revokes_at_once(
    world: World,
    page: Page,
    tmp_path: Path,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    csr = openssl_request(tmp_path, "-subj", "/CN=gone.example.org")
    _, request_id = submitted(page, csr.read_text())
    serial = approve(world, request_id)["serial"]
    page.goto("/revoke")
    page.fill("#serial", serial)
    page.get_by_label("It was replaced by another one").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Prove that you hold the key")
    check_accessibility(page)
    command = page.locator("details[open] pre").inner_text().replace("your.key", "own.key")
    signature = shell(command, tmp_path)
    page.fill("#signature", "AAAA" + signature)
    page.get_by_role("button", name="Revoke the certificate for good").click()
    expect(page.get_by_role("alert")).to_contain_text("not by the key of this certificate")
    page.fill("#signature", signature)
    page.get_by_role("button", name="Revoke the certificate for good").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The certificate is revoked")
    check_accessibility(page)
    shown = world.instance.json("certificate", "show", serial, user="officer1")
    assert (shown["status"], shown["reason"]) == ("revoked", "superseded")
    page.goto(f"/requests/{request_id}")
    expect(page.locator(".steps-line .bad")).to_contain_text("Revoked")


def wish_for(world: World, request_id: str) -> dict[str, Any]:
    found = world.instance.json("revocation", "list", "--state", "open", user="officer1")
    (wish,) = (one for one in found if one["request_id"] == request_id)
    return dict(wish)


def test_who_has_the_code_alone_asks_and_an_officer_answers(world: World, page: Page) -> None:
    _, request_id = submitted(page, p256_csr("asked.example.org"))
    approve(world, request_id)
    page.reload()
    page.select_option("#reason", "cessationOfOperation")
    page.fill("#note", "switched off")
    page.get_by_role("button", name="Ask for revocation").click()
    expect(page.locator("#revoke")).to_contain_text("Somebody will answer your wish")
    wish = wish_for(world, request_id)
    assert wish["note"] == "switched off"
    world.instance.json("revocation", "refuse", wish["id"], "--reason", "still on", user="officer2")
    page.reload()
    expect(page.locator("#revoke")).to_contain_text("still on")
    page.get_by_role("button", name="Ask for revocation").click()
    again = wish_for(world, request_id)
    world.instance.json("revocation", "accept", again["id"], user="operator")
    page.goto(f"/requests/{request_id}")
    expect(page.locator(".steps-line .bad")).to_contain_text("Revoked")


def test_a_key_made_here_comes_behind_a_passphrase(
    world: World,
    page: Page,
    tmp_path: Path,
    check_accessibility,  # type: ignore[no-untyped-def]
) -> None:
    page.goto("/server-key?profile=main/user")
    page.fill("[name='subject.CN']", "Rita")
    page.fill("#names", "not an address")
    page.get_by_role("button", name="Send the request").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.locator("[name='subject.CN']")).to_have_value("Rita")
    page.fill("#names", "rita@example.org")
    page.get_by_role("button", name="Send the request").click()
    page.get_by_role("link", name="Follow it").click()
    page.wait_for_url("**/requests/*")
    approve(world, page.url.rpartition("/")[2])
    page.reload()
    page.get_by_role("button", name="Fetch the key").click()
    words = page.get_by_label("Passphrase", exact=True).inner_text()
    check_accessibility(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the PKCS#12 file").click()
    download.value.save_as(tmp_path / "rita.p12")
    (tmp_path / "words").write_text(words)
    opened = shell("openssl pkcs12 -in rita.p12 -passin file:words -nodes", tmp_path)
    assert opened.count("BEGIN CERTIFICATE") == 3
    assert "BEGIN PRIVATE KEY" in opened


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.goto("/")
    page.locator("#csr").focus()
    page.keyboard.insert_text(p256_csr("keys.example.org"))
    page.keyboard.press("Tab")
    expect(page.locator("#files")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/check")
    page.locator("#note").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/submit")
    assert CODE.fullmatch(page.get_by_label("Your code").inner_text())


def test_on_a_phone_nothing_is_wider_than_the_screen(new_page, check_accessibility) -> None:  # type: ignore[no-untyped-def]
    page = new_page(size=PHONE)
    page.goto("/")
    check_accessibility(page)
    page.fill(
        "#csr", p256_csr("*." + "long-" * 8 + "name.example.org") + p256_csr("phone.example.org")
    )
    check(page)
    check_accessibility(page)
    send(page)
    page.get_by_role("link", name="Follow it").click()
    page.wait_for_url("**/requests/*")
    check_accessibility(page)
