"""Public keys of the auth consumer: gateways seal commands to them and verify access tokens with them."""

from typing import Literal

from schemas.message import State, Tombstone
from schemas.topics import KEY_EVENTS
from schemas.types import When

KeyUse = Literal["seal", "sign"]


class KeyPublished(State, topic=KEY_EVENTS):
    """A key pair was made. The newest of a `use` is the one to use; older ones still open or verify.

    `public` is base64url: for `seal` the raw X25519 key, for `sign` the P-256 point, uncompressed (SEC 1).
    """

    subject = "keys"
    key_fields = ("key_id",)

    key_id: str
    use: KeyUse
    public: str
    published_at: When


class KeyGone(Tombstone, topic=KEY_EVENTS):
    """The private half is destroyed, and nothing that needs the public half can be valid any more."""

    subject = "keys"
    key_fields = ("key_id",)

    key_id: str
