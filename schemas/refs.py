"""How a reference to a thing is made canonical, so that one thing has one id.

The normaliser is part of every thing id: a change of its answers is a new VERSION with a migration. So it is
conservative: it folds only what cannot mean another page. Short links and mobile hosts are resolved later,
by merging.
"""

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

VERSION: Final = 1
TRACKING: Final = ("utm_", "fbclid", "gclid")
DEFAULT_PORTS: Final = (80, 443)
SCHEMES: Final = ("isbn", "imdb", "movielens", "doi", "ean", "osm", "musicbrainz", "wikidata")
CASELESS: Final = ("imdb", "doi", "musicbrainz")
"""Schemes whose names ignore case (DOI Handbook 2.4)."""
NAMED: Final = re.compile(r"^([a-z][a-z0-9]*):([A-Za-z0-9][A-Za-z0-9._/()-]*)$")
HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
WWW: Final = re.compile(r"^(www\.)+(?=[^.]+\.)")
FOREIGN: Final = re.compile(r"[\s\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no web address holds; `urlsplit` would silently take some of it out."""
ESCAPE: Final = re.compile(r"%[0-9a-fA-F]{2}")


def canonical(ref: str) -> str:
    """The one form of `ref`: `isbn:9780441478125` or a normalised https URL. Raises ValueError.

    >>> canonical("HTTP://www.Example.org:80/a/?utm_source=x&b=1#top")
    'https://example.org/a?b=1'
    """
    ref = ref.strip()
    if ref.lower().startswith(("http://", "https://")):
        return _web(ref)
    scheme, colon, rest = ref.partition(":")
    named = NAMED.match(f"{scheme.lower()}{colon}{rest}")
    if named is None or named[1] not in SCHEMES:
        raise ValueError(f"must be a web address or one of {', '.join(f'{s}:…' for s in SCHEMES)}")
    if named[1] == "isbn":
        return _isbn(named[2])
    return f"{named[1]}:{named[2].lower() if named[1] in CASELESS else named[2]}"


def _isbn(digits: str) -> str:
    """Thirteen digits, the last one right; ten become thirteen, for they name the same book (ISO 2108)."""
    digits = digits.replace("-", "").upper()
    if re.fullmatch(r"\d{9}[\dX]", digits):
        weighed = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), digits, strict=False))
        if "0123456789X"[-weighed % 11] != digits[-1]:
            raise ValueError("the check digit of the ISBN is wrong")
        return f"isbn:{_with_check_digit('978' + digits[:9])}"
    if not re.fullmatch(r"97[89]\d{10}", digits):
        raise ValueError("an ISBN has 10 digits, or 13 that begin with 978 or 979")
    if _with_check_digit(digits[:12]) != digits:
        raise ValueError("the check digit of the ISBN is wrong")
    return f"isbn:{digits}"


def _with_check_digit(twelve: str) -> str:
    weighed = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return f"{twelve}{-weighed % 10}"


def _web(ref: str) -> str:
    if FOREIGN.search(ref):
        raise ValueError("is not a web address: it holds a space, a backslash or a control character")
    try:
        parts = urlsplit(ref)
        host = _host(parts)
        port = "" if parts.port in (None, *DEFAULT_PORTS) else f":{parts.port}"
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"is not a web address: {error}") from None
    path = _upper_escapes(parts.path).rstrip("/") or "/"
    query = "&".join(p for p in parts.query.split("&") if p and not _tracks(p))
    return f"https://{host}{port}{path}" + (f"?{_upper_escapes(query)}" if query else "")


def _host(parts: SplitResult) -> str:
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name")
    host = (parts.hostname or "").encode("idna").decode().lower().rstrip(".")
    if "[" in parts.netloc:
        return f"[{IPv6Address(host)}]"
    host = WWW.sub("", host)
    if not HOST.fullmatch(host):
        raise ValueError("it has no host")
    return host


def _tracks(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name.startswith(TRACKING[0]) or name in TRACKING[1:]


def _upper_escapes(text: str) -> str:
    return ESCAPE.sub(lambda found: found[0].upper(), text)
