"""One thing, one reference: what is folded, what is not, and that folding twice changes nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.refs import SCHEMES, canonical

FOLDED = [
    ("https://example.org", "https://example.org/"),
    ("http://example.org/", "https://example.org/"),
    ("HTTP://www.Example.org:80/a/?utm_source=x&b=1#top", "https://example.org/a?b=1"),
    ("https://EXAMPLE.org/Path", "https://example.org/Path"),
    ("https://www.example.org/a", "https://example.org/a"),
    ("https://www.www.example.org/", "https://example.org/"),
    ("https://www.com/", "https://www.com/"),
    ("https://www.localhost/", "https://www.localhost/"),
    ("https://wwwexample.org/", "https://wwwexample.org/"),
    ("https://www2.example.org/", "https://www2.example.org/"),
    ("https://example.org:443/a", "https://example.org/a"),
    ("http://example.org:443/a", "https://example.org/a"),
    ("https://example.org:8443/a", "https://example.org:8443/a"),
    ("https://example.org:08443/a", "https://example.org:8443/a"),
    ("https://example.org:/a", "https://example.org/a"),
    ("https://example.org./a", "https://example.org/a"),
    ("https://example.org\u3002/a", "https://example.org/a"),
    ("https://example.org/a/", "https://example.org/a"),
    ("https://example.org/a//", "https://example.org/a"),
    ("https://example.org//", "https://example.org/"),
    ("https://example.org/a//b", "https://example.org/a//b"),
    ("https://example.org/a/../b", "https://example.org/a/../b"),
    ("https://example.org/a#b", "https://example.org/a"),
    ("https://example.org/#/route", "https://example.org/"),
    ("https://example.org/?", "https://example.org/"),
    ("https://example.org/?a=1&a=2", "https://example.org/?a=1&a=2"),
    ("https://example.org/?b=1&a=2", "https://example.org/?b=1&a=2"),
    ("https://example.org/?a=&b", "https://example.org/?a=&b"),
    ("https://example.org/?&&a=1&", "https://example.org/?a=1"),
    ("https://example.org/?fbclid=x&gclid=y&a=1", "https://example.org/?a=1"),
    ("https://example.org/?UTM_Source=x", "https://example.org/"),
    ("https://example.org/?utm=1&gclids=2&xfbclid=3", "https://example.org/?utm=1&gclids=2&xfbclid=3"),
    ("https://example.org/a/?utm_medium=x", "https://example.org/a"),
    ("https://example.org/%e2%82%ac?q=%c3%a9", "https://example.org/%E2%82%AC?q=%C3%A9"),
    ("https://example.org/100%", "https://example.org/100%"),
    ("https://example.org/%2f", "https://example.org/%2F"),
    ("https://example.org/a;b=c", "https://example.org/a;b=c"),
    ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ("https://XN--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ("https://my_site.example.org/", "https://my_site.example.org/"),
    ("https://192.0.2.1/a", "https://192.0.2.1/a"),
    ("http://[2001:DB8::0:1]:80/a", "https://[2001:db8::1]/a"),
    ("  https://example.org/a \n", "https://example.org/a"),
    ("isbn:9780441478125", "isbn:9780441478125"),
    ("ISBN:978-0-441-47812-5", "isbn:9780441478125"),
    ("isbn:0-8044-2957-x", "isbn:9780804429573"),
    ("isbn:0441478123", "isbn:9780441478125"),
    ("imdb:tt0076759", "imdb:tt0076759"),
    ("Movielens:50", "movielens:50"),
    ("doi:10.1000/182", "doi:10.1000/182"),
    ("DOI:10.1000/ABC", "doi:10.1000/abc"),
    ("osm:node/240109189", "osm:node/240109189"),
]
REFUSED = [
    "",
    "   ",
    "example.org",
    "ftp://example.org/",
    "javascript:alert(1)",
    "https://",
    "https:///a",
    "https://./",
    "https://..",
    "https://a..b/",
    "https://user@example.org/",
    "https://user:password@example.org/",
    "https://@example.org/",
    "https://example.org:port/",
    "https://example.org:99999/",
    "https://example.org/a b",
    "https://example.org\\@evil.example/",
    "https://exa\nmple.org/",
    "https://example.org/\ta",
    "https://example.org/\x00",
    "https://example.org/\ud800",
    "https://[::1/",
    "https://[v1.a]/",
    "https://[not:an:address]/",
    'https://exa"mple.org/',
    "https://exa<mple>.org/",
    "https://" + "a" * 64 + ".org/",
    "isbn:12345",
    "isbn:9780441478126",
    "isbn:0441478124",
    "isbn:1234567890128",
    "isbn:97804414781",
    "isbn:",
    "imdb:",
    "imdb:tt 1",
    "imdb:../x",
    "unknown:1",
    "isbn",
    ":1",
    "movielens:50\n51",
]


@pytest.mark.parametrize(("given_ref", "expected"), FOLDED)
def test_a_reference_has_one_form(given_ref: str, expected: str) -> None:
    assert canonical(given_ref) == expected


@pytest.mark.parametrize(("given_ref", "expected"), FOLDED)
def test_the_one_form_is_its_own(given_ref: str, expected: str) -> None:
    assert canonical(expected) == expected


@pytest.mark.parametrize("ref", REFUSED)
def test_what_names_no_thing_is_refused(ref: str) -> None:
    with pytest.raises(ValueError, match=r"web address|ISBN"):
        canonical(ref)


HOSTS = st.text("aAzwW.-_www1é。ß[]:", min_size=1, max_size=12) | st.just("www.example.org")
WEB = st.builds(
    "{}://{}{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    HOSTS,
    st.sampled_from(["", ":80", ":443", ":8080", ":", ":0"]),
    st.text("/aA.%2fé;~", max_size=10).map(lambda path: f"/{path}"),
    st.text("?&=utm_fbclidgA%e9/", max_size=14).map(lambda query: f"?{query}"),
    st.sampled_from(["", "#", "#a?b/c"]),
)
NAMED = st.builds("{}:{}".format, st.sampled_from(SCHEMES), st.text("aZ09-._/()x", min_size=1, max_size=14))


@given(WEB | NAMED | st.text(max_size=30))
@example("https://www.www.www.a.b")
@example("https://example.org。./")
@example("https://ｗｗｗ.example.org/")
@example("https://example.org/?a=1&utm_x#")
def test_folding_twice_is_folding_once(ref: str) -> None:
    try:
        once = canonical(ref)
    except ValueError:
        return
    assert canonical(once) == once
    once.encode()
