"""Signing keys: their types, their algorithms, and their public keys as JWKs (RFC 7517)."""

import base64
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RSA_BITS = 2048
REQUIRED_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
"""The members of a JWK that its thumbprint covers, by `kty` (RFC 7638 section 3.2)."""

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
Jwk = dict[str, str]


class KeyType(StrEnum):
    RSA = "rsa"
    """RS256."""

    P256 = "p256"
    """ES256."""

    ED25519 = "ed25519"
    """EdDSA."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its algorithm and its public key."""

    kid: str
    algorithm: str
    private: PrivateKey
    jwk: Jwk
    """The public key (RFC 7517)."""
    created_at: float
    """In seconds since the epoch. The key is published since then."""


def thumbprint(jwk: Jwk) -> str:
    """Return the SHA-256 thumbprint of a JWK (RFC 7638). It is the key's `kid`."""
    members = {name: jwk[name] for name in REQUIRED_MEMBERS[jwk["kty"]]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def generate(key_type: KeyType) -> PrivateKey:
    """Generate a private key."""
    match key_type:
        case KeyType.RSA:
            return generate_rsa(public_exponent=65537, key_size=RSA_BITS)
        case KeyType.P256:
            return generate_ec(SECP256R1())
        case KeyType.ED25519:
            return Ed25519PrivateKey.generate()


def build_signing_key(private: object, created_at: float) -> SigningKey:
    """Return the signing key for a private key, whose type determines the algorithm. Raises ValueError for an unsupported type."""
    if isinstance(private, RSAPrivateKey) and private.key_size >= RSA_BITS:
        return _with_public_key(private, "RS256", RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), created_at)
    if isinstance(private, EllipticCurvePrivateKey) and isinstance(private.curve, SECP256R1):
        return _with_public_key(private, "ES256", ECAlgorithm.to_jwk(private.public_key(), as_dict=True), created_at)
    if isinstance(private, Ed25519PrivateKey):
        return _with_public_key(private, "EdDSA", OKPAlgorithm.to_jwk(private.public_key(), as_dict=True), created_at)
    raise ValueError(f"must be an RSA key of at least {RSA_BITS} bits, a P-256 key or an Ed25519 key")


def _with_public_key(private: PrivateKey, algorithm: str, public: Jwk, created_at: float) -> SigningKey:
    # A JWK has `use` or `key_ops`, not both (RFC 7517 section 4.3).
    jwk = {name: value for name, value in public.items() if name != "key_ops"}
    kid = thumbprint(jwk)
    return SigningKey(kid, algorithm, private, {**jwk, "use": "sig", "alg": algorithm, "kid": kid}, created_at)
