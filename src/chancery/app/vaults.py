"""Unlocking a vault: straight to the signer's socket, past every door."""

from pathlib import Path

from chancery.app.signer_process import socket_path
from chancery.domain.errors import BadRequest
from chancery.settings import load
from chancery.signer.client import SignerClient
from chancery.signer.vaults_client import VaultsClient


def unlock(config: Path, name: str, pin: str) -> None:
    """Have the signer of *config* log in to a token.  Raises Unavailable where it did not."""
    if not pin:
        raise BadRequest("no PIN was given", field="pin", rule="vault.pin")
    settings = load(config)
    client = SignerClient(socket_path(settings.signer.socket))
    try:
        VaultsClient(client.ask).unlock(name, pin.encode())
    finally:
        client.close()
