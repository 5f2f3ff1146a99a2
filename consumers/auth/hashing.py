"""Password hashes: argon2id over a peppered HMAC-SHA256; stored as `<pepper id>$argon2id$...` (PHC string).

Evaluations run in threads (argon2 releases the GIL), never more at once than the pool has.
"""

import asyncio
import hmac
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from argon2 import Parameters, Type, extract_parameters
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, hash_secret, verify_secret
from prometheus_client import Counter

from consumers.auth import vault
from consumers.auth.config import AuthSettings

EVALUATIONS: Final = Counter(
    "pickly_auth_argon2_total",
    "Argon2 evaluations, by purpose: hash, verify, dummy (an unknown name was checked).",
    ["purpose"],
)
T = TypeVar("T")
SALT_BYTES: Final = 32
HASH_BYTES: Final = 32
PEPPER_BYTES: Final = 32


class PepperError(ValueError):
    """A pepper is unusable, or a stored hash needs one that this process was not given."""


@dataclass(frozen=True)
class Peppers:
    """The ring: `newest` names the one for new hashes, all verify. A key is 32 random bytes or more."""

    newest: str
    keys: Mapping[str, bytes]

    def __post_init__(self) -> None:
        if self.newest not in self.keys:
            raise PepperError(f"the newest pepper, {self.newest!r}, is not among the keys")
        for name, key in self.keys.items():
            if not name or "$" in name or len(key) < PEPPER_BYTES:
                raise PepperError(f"pepper {name!r} needs a name without $ and {PEPPER_BYTES} bytes or more")

    def secret(self, pepper: str, password: str) -> bytes:
        """What argon2 sees: useless to who has the table but not the pepper."""
        if pepper not in self.keys:
            raise PepperError(f"a stored hash needs pepper {pepper!r}: give it to this process again")
        return hmac.digest(self.keys[pepper], unicodedata.normalize("NFC", password).encode(), "sha256")


class Hasher:
    """Makes and checks hashes with one set of parameters; older parameters and peppers still verify."""

    def __init__(self, settings: AuthSettings, peppers: Peppers) -> None:
        """Evaluates argon2 once, for the dummy. `close` ends the threads."""
        self._peppers = peppers
        self._parameters = Parameters(
            type=Type.ID,
            version=ARGON2_VERSION,
            salt_len=SALT_BYTES,
            hash_len=HASH_BYTES,
            time_cost=settings.argon2_passes,
            memory_cost=settings.argon2_memory,
            parallelism=settings.argon2_lanes,
        )
        # Neither salt nor password of the dummy matters: it stands for nobody and never matches.
        self._dummy = self._hash("", bytes(SALT_BYTES))
        self._threads = ThreadPoolExecutor(settings.argon2_threads, "argon2")

    def close(self) -> None:
        """End the threads; what has not begun is cancelled."""
        self._threads.shutdown(cancel_futures=True)

    async def hashed(self, password: str, salt: bytes) -> str:
        """The text to store. `salt`: 32 random bytes, used for nothing else."""
        if len(salt) != SALT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
        return await self._run("hash", lambda: self._hash(password, salt))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether this is the password. None (nobody has that name) costs what a current hash costs.

        Raises PepperError, and argon2's VerificationError when `stored` is damaged.
        """
        if stored is None:
            await self._run("dummy", lambda: self._verify(self._dummy, password))
            return False
        return await self._run("verify", lambda: self._verify(stored, password))

    def needs_rehash(self, stored: str) -> bool:
        """Whether it was made with other parameters or an older pepper than new ones are."""
        pepper, phc = _parts(stored)
        return pepper != self._peppers.newest or extract_parameters(phc) != self._parameters

    async def _run(self, purpose: str, work: Callable[[], T]) -> T:
        def counted() -> T:
            EVALUATIONS.labels(purpose).inc()
            return work()

        return await asyncio.wrap_future(self._threads.submit(counted))

    def _hash(self, password: str, salt: bytes) -> str:
        pepper, wanted = self._peppers.newest, self._parameters
        phc = hash_secret(
            self._peppers.secret(pepper, password),
            salt,
            wanted.time_cost,
            wanted.memory_cost,
            wanted.parallelism,
            wanted.hash_len,
            wanted.type,
            wanted.version,
        )
        return pepper + phc.decode()

    def _verify(self, stored: str, password: str) -> bool:
        pepper, phc = _parts(stored)
        try:
            return verify_secret(phc.encode(), self._peppers.secret(pepper, password), Type.ID)
        except VerifyMismatchError:
            return False


def _parts(stored: str) -> tuple[str, str]:
    """The id of the pepper and the PHC string, which begins with $."""
    pepper, _, rest = stored.partition("$")
    return pepper, f"${rest}"


@cache
def hasher() -> Hasher:
    """The one of this process, with its settings and peppers."""
    peppers = vault.ring(vault.PEPPER)
    return Hasher(AuthSettings(), Peppers(peppers.newest, peppers.keys))
