"""Keys, tokens and kubeconfigs of a control plane that lives for one test session or one lab."""

from __future__ import annotations

from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

__all__ = ["is_certificate", "write_kubeconfig", "write_private", "write_service_account_key"]


def is_certificate(path: Path) -> bool:
    """Whether the file holds certificates, each of them whole: a server that makes its own is seen while it writes."""
    try:
        text = path.read_bytes()
        x509.load_pem_x509_certificates(text)
    except (FileNotFoundError, ValueError):
        return False
    return text.rstrip().endswith(b"-----END CERTIFICATE-----")


def write_private(path: Path, text: str) -> Path:
    """Writes a file that only its owner may read, from its first byte on."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")
    return path


def write_service_account_key(path: Path) -> Path:
    """A fresh key that signs service account tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return write_private(path, pem.decode())


def write_kubeconfig(path: Path, *, url: str, authority: str, user: str, token: str, namespace: str) -> Path:
    """A kubeconfig that stands alone: certificate (base64; empty for those that the system trusts) and token inside."""
    trusted = {"certificate-authority-data": authority} if authority else {}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": url, **trusted}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user, "namespace": namespace}}],
        "current-context": "lab",
    }
    return write_private(path, yaml.safe_dump(config, sort_keys=False))
