"""Settings of an instance that the tests' directory and provider vouch for."""

from pathlib import Path

from services.oidc_provider import SECRET, Provider
from services.slapd import GROUPS, PEOPLE, READER, READER_PASSWORD, Slapd


def directory_settings(slapd: Slapd, folder: Path) -> str:
    """TOML of ``[[directories]]``; its secret goes to a file in *folder*."""
    password = folder / "directory.password"
    password.touch(mode=0o600)
    password.write_text(READER_PASSWORD + "\n")
    return f"""
[[directories]]
name = "corp"
kind = "openldap"
servers = ["{slapd.ldaps}", "{slapd.starttls}"]
ca_file = "{slapd.ca_file}"
bind_dn = "{READER}"
bind_password_file = "{password}"
base = "{PEOPLE}"
active_filter = "(employeeType=active)"
group_base = "{GROUPS}"
recheck = "PT1S"
[[directories.map]]
group = "cn=ra officers,{GROUPS}"
roles = ["ra-officer"]
groups = ["officers"]
[[directories.map]]
group = "Staff"
roles = ["requester"]
"""


def provider_settings(provider: Provider, folder: Path) -> str:
    """TOML of ``[[providers]]``; its secret goes to a file in *folder*."""
    secret = folder / "provider.secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    return f"""
[[providers]]
name = "op"
title = "Test provider"
issuer = "{provider.issuer}"
client_id = "chancery-ES256"
client_secret_file = "{secret}"
ca_file = "{provider.directory / "ca.pem"}"
[[providers.map]]
group = "ra-officers"
roles = ["ra-officer"]
groups = ["officers"]
"""
