# SPDX-License-Identifier: Apache-2.0
"""Words of a server or a file: one short printable line, without what opens something, in linear time."""

from __future__ import annotations

import json
import time
import unicodedata
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lessonspace_provider.api.foreign_words import (
    ADDRESS,
    KEY,
    LINK,
    LONGEST_MESSAGE,
    LONGEST_READ,
    LONGEST_WORDS,
    TOKEN,
    clean_host,
    clean_message,
    clean_text,
    clean_words,
    first_of,
    holds_key,
    without_key,
)
from tests.unit.hooks.known import KEY as API_KEY
from tests.unit.hooks.known import LAUNCH, SESSION, SIGNATURE

BARE = API_KEY.replace("-", "")
HEADER = f"Organisation {API_KEY}"
SPELLINGS = {
    "itself": API_KEY,
    "upper case": API_KEY.upper(),
    "without dashes": BARE,
    "upper case without dashes": BARE.upper(),
    "in groups": API_KEY.replace("-", " - "),
    "its dashes percent-encoded": API_KEY.replace("-", "%2D"),
    "percent-encoded": "".join(f"%{ord(char):02X}" for char in API_KEY),
    "percent-encoded twice": quote("".join(f"%{ord(char):02x}" for char in API_KEY)),
    "JSON's escapes": "".join(f"\\u{ord(char):04x}" for char in API_KEY),
    "HTML's references": "".join(f"&#{ord(char)};" for char in API_KEY),
    "with invisible characters": "\u200b".join(API_KEY),
    "full-width letters": "".join(chr(ord(char) + 0xFEE0) for char in API_KEY),
    "letter by letter": " ".join(API_KEY),
    "hexadecimal": API_KEY.encode().hex(),
    "header": HEADER,
    **{f"base64 of {name}": b64encode(text.encode()).decode() for name, text in (("it", API_KEY), ("it bare", BARE))},
    **{f"base64 of the header after {n}": b64encode(b"x" * n + HEADER.encode() + b"\r\n").decode() for n in range(3)},
    **{f"base64 of it after {n}": b64encode(b"x" * n + API_KEY.upper().encode() + b"yz").decode() for n in range(3)},
}


def tells_key(text):
    return holds_key(text, API_KEY) or any(API_KEY[at : at + 9] in text.lower() for at in range(len(API_KEY) - 8))


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=list(SPELLINGS))
@pytest.mark.parametrize("text", ["{}", "No organisation has the key {}, sorry", "x" * 3000 + " {}"])
def test_key_is_taken_out_in_every_spelling(spelling, text):
    words = clean_words(text.format(spelling), api_key=API_KEY)
    assert not tells_key(words)
    assert KEY in words or len(words) > LONGEST_WORDS


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=list(SPELLINGS))
def test_key_is_taken_out_of_parsed_json(spelling):
    parsed = {"a": [{"b": f"x {spelling} y", spelling: 1}], "c": None, "d": 1.5, "e": True}
    cleaned = without_key(parsed, API_KEY)
    assert not tells_key(json.dumps(cleaned, ensure_ascii=False))
    assert (cleaned["c"], cleaned["d"], cleaned["e"]) == (None, 1.5, True)


def test_only_the_key_is_replaced_where_it_can_be_found():
    assert clean_words(f"key {API_KEY.upper()} is bad", api_key=API_KEY) == f"key {KEY} is bad"


@pytest.mark.parametrize("shown", range(8, len(BARE)))
def test_key_that_is_cut_off_leaves_no_piece(shown):
    gap = " " * (LONGEST_READ // shown - 1)
    text = gap.join(BARE[:shown]).rjust(LONGEST_READ) + gap + BARE[shown:]
    assert clean_words(text, api_key=API_KEY) == KEY
    assert clean_words(f"{' ' * (LONGEST_READ - shown)}{BARE}", api_key=API_KEY) == KEY


def test_text_like_a_key_stays_without_one_to_search():
    assert clean_words(f"session {SESSION}", api_key=API_KEY) == f"session {SESSION}"
    assert clean_words(API_KEY) == API_KEY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("see https://room.example/a?jwt=x", f"see {LINK}"),
        ("see (https://room.example/a).", f"see {LINK}"),
        (r"see https:\/\/room.example\/a", f"see {LINK}"),
        (r'{"url":"https:\/\/room.example\/a"}', LINK),
        ("see https%3A%2F%2Froom.example%2Fa", f"see {LINK}"),
        ("see https%253A%252F%252Froom.example%252Fa", f"see {LINK}"),
        (r"see https:\u002f\u002froom.example", f"see {LINK}"),
        ("see https:&#x2F;&#x2F;room.example", f"see {LINK}"),
        ("see //room.example/a", f"see {LINK}"),
        ("see https：／／room.example／a", f"see {LINK}"),
        ("see room.example/a", f"see {LINK}"),
        ("see localhost:8080/a", f"see {LINK}"),
        ("see www.room.example", f"see {LINK}"),
        ("HTTPS://ROOM.EXAMPLE", LINK),
        ("s3://bucket/x?sig=1", LINK),
        ("Max retries exceeded with url: /t.json?X-Amz-Signature=abc", f"Max retries exceeded with url: {LINK}"),
        ("url: ../t.json", f"url: {LINK}"),
        ("t.json?X-Amz-Signature=abc", LINK),
        ("t.json%3FX-Amz-Signature%3Dabc", LINK),
        ("/t.json? X-Amz-Signature=0123456789abcdef", f"{LINK} {LINK}"),
        ("&X-Amz-Expires=1&X-Amz-Date=2", LINK),
        ("a/b/c", LINK),
        ("file?secret", "file?"),
        ("file%3Fsecret", LINK),
        ("Is it? Yes.", "Is it? Yes."),
        ("Anna@school.example is no name", f"{ADDRESS} is no name"),
        ("token eyJhbGciOiJIUzI1NiJ9.x.y is old", f"token {TOKEN} is old"),
        (f"X-Amz-Signature = {'0123456789abcdef' * 4}", f"X-Amz-Signature = {TOKEN}"),
        (f"{{'X-Amz-Signature': '{'0123456789abcdef' * 4}'}}", f"{{'X-Amz-Signature': '{TOKEN}'}}"),
        ("Signature: vjbyPxybdZaNmGa+yT272YEAiv4=", f"Signature: {TOKEN}="),
        ("sig:c2lnbmVkIGJ5IHRoZSBzdG9yZSBpdHNlbGYgMTIz.", f"sig:{TOKEN}."),
        (f"{'0123456789abcdef' * 2}, {'long' * 12}", f"{'0123456789abcdef' * 2}, {'long' * 12}"),
        (LAUNCH["client_url"], LINK),
        ("begin it with http:// or https://, please", "begin it with http:// or https://, please"),
        ("application/json", "application/json"),
        ("and/or, this / that", "and/or, this / that"),
        ("23/11/2026, page=2, 100%, a & b", "23/11/2026, page=2, 100%, a & b"),
        ("2026-11-23T08:00:00+00:00", "2026-11-23T08:00:00+00:00"),
        ('user.name: "Zoë" is 你好.', 'user.name: "Zoë" is 你好.'),
    ],
)
def test_links_addresses_and_tokens_are_taken_out(text, words):
    assert clean_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("line\r\nforged\tline\x0b\x85\u2028end", "line forged line end"),
        ("\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("abc\u202edef\u2066\u200f", "abc\ufffddef\ufffd"),
        ("half \ud800\udfff", "half \ufffd"),
        ("  ", ""),
    ],
)
def test_words_are_one_line_of_printable_characters(text, words):
    assert clean_words(text) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (7, "7"),
        (1.5, "1.5"),
        (True, "True"),
        (None, "None"),
        pytest.param(10**5000, "(int)", id="of thousands of digits"),
        ({"secret": "x"}, "(dict)"),
        (["x", 7, "https://x.example"], "x, 7, <link>"),
        ([["x"]], "(list)"),
        (b"x", "(bytes)"),
    ],
)
def test_what_is_no_text_is_shown_as_its_value_or_kind(value, words):
    assert clean_words(value) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "GET /organisations/42/sessions/ failed\nwith 404: see https://api.example/v2, or s3://c@bucket/a.",
            "GET /organisations/42/sessions/ failed with 404: see https://api.example/v2, or s3://c@bucket/a.",
        ),
        (f"see https://store.example/a?Signature={SIGNATURE} there", "see https://store.example/a? there"),
        (f"see https://store.example/a%3FSignature={SIGNATURE}", f"see {LINK}"),
        ("\x1b[31mred\u202e", "\ufffd[31mred\ufffd"),
        (None, "None"),
    ],
)
def test_own_message_that_was_read_back_keeps_paths_but_no_query(text, message):
    assert clean_message(text) == message
    assert len(clean_message(text * 1000 if text else "x" * 9999)) <= LONGEST_MESSAGE + len("...")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("POST /x/ failed: 'ann@school.example' is taken", "POST /x/ failed: '<address>' is taken"),
        ("see (https://x.example/y?user=JWT).", "see (<link>)."),
        (r"see https:\/\/x.example or www.x.example", "see <link> or <link>"),
        ("see https%3A%2F%2Fx.example", "see <link>"),
        ("GET /organisations/1/: s3:/a, x @ y", "GET /organisations/1/: s3:/a, x @ y"),
    ],
)
def test_message_can_be_shown_without_links_and_addresses(text, message):
    assert clean_message(text, hide_links=True) == message


def test_words_are_cut():
    assert clean_words("x" * 100_000) == "x" * LONGEST_WORDS + "..."
    assert clean_words("word " * 100, longest=9) == "word word..."
    assert clean_words("x" * LONGEST_WORDS) == "x" * LONGEST_WORDS


ALPHABET = st.sampled_from([*"/?=&%:@.\\#;u0034f9d -", "\u202e", "\x00", "\ud800", API_KEY, SIGNATURE, "https://", "é"])


@given(st.lists(ALPHABET, max_size=60).map("".join))
def test_any_text_becomes_a_fit_line(text):
    words = clean_words(text, api_key=API_KEY)
    assert all(char == " " or unicodedata.category(char)[0] not in "CZ" for char in words)
    assert not tells_key(words)
    assert "://" not in words
    assert len(words) <= LONGEST_WORDS + len("...")
    words.encode()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://evil.example/take?it=all", "evil.example"),
        ("https://user:word@evil.example:99/", "evil.example"),
        (f"https://{API_KEY}.evil.example/", f"{KEY}.evil.example"),
        (f"https://{BARE.upper()}.evil.example/", f"{KEY}.evil.example"),
        ("https://a\u202eb.example", "a\ufffdb.example"),
        ("/login/?next=x", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_links_host_is_shown(url, host):
    assert clean_host(url, api_key=API_KEY) == host


def test_address_that_is_no_link_is_a_value_error():
    with pytest.raises(ValueError, match="IPv6"):
        clean_host("https://[broken")


#: Pieces that make patterns go back and forth, repeated to any length.
ADVERSARIAL = [
    "a", " ", "/", "//", "://", "?", "?a", "=", "&", "&#", "&#9", "&#x9", "&amp", "&amp;amp;", "%", "%2", "%25",
    "%2541", "\\", "\\u", "\\u005c", "\\\\u", "\\/", ".", "a.", "a@", "@", "-", "4", "4f9d2c1e-", BARE[:-1],
    API_KEY[:-1], "\ud800", "\u202e", "\ufffd", "\x00", "\r\n", "é", "https://a ", "eyJ", "a/", "<", "\"'", "www.",
    "x" * 50 + " ", "=a&", "s:/",
]  # fmt: skip


def long_text(piece, size):
    """Repeat a piece, beside one of everything that is looked for, so that no search is skipped."""
    return f"\\u0034 %34 &#52; {piece * (size // len(piece))} \\u0034%34&#52;/a?b=c@d"


def cpu_seconds(function, text):
    """CPU time of this thread for one call, the shortest of three: other work on the machine only adds to it."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        function(text)
        times.append(time.thread_time() - began)
    return min(times)


@pytest.mark.parametrize("piece", ADVERSARIAL, ids=ascii)
def test_a_long_text_costs_time_in_proportion(piece):
    """The key's search reads all of an answer: 8 times the text is far from the 64 times of what grows as a square."""
    short, long = (long_text(piece, size) for size in (50_000, 400_000))
    function = lambda text: without_key([text], API_KEY)  # noqa: E731 - with the key, so that nothing is skipped
    assert cpu_seconds(function, long) < 16 * cpu_seconds(function, short) + 0.05


@pytest.mark.parametrize("piece", ADVERSARIAL, ids=ascii)
def test_words_cost_the_same_however_long_the_text(piece):
    function = lambda text: clean_words(text, api_key=API_KEY)  # noqa: E731
    at_limit, long = (long_text(piece, size) for size in (LONGEST_READ, 4_000_000))
    assert cpu_seconds(function, long) < 16 * cpu_seconds(function, at_limit) + 0.05


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (" One\r\nTwo\n\n- three\tfour  five \n", "One\nTwo\n\n- three\tfour  five"),
        ("a\x00b\x1b[31mc\x85d\u2028e\u202ef\u2066g\ufeffh", "ab[31mc d\nefgh"),
        ("\ud800 lone", "\ufffd lone"),
        ("می\u200cخواهم 👩\u200d🏫", "می\u200cخواهم 👩\u200d🏫"),
        ("Jose\u0301", "José"),
        ("Why? Maths & art; 3/4 = 75% of (a+b).", "Why? Maths & art; 3/4 = 75% of (a+b)."),
        ("see https://store.example/a.json?signature=abc.", f"see {LINK}."),
        ("see www.example.org/x, or ask ann@school.example", f"see {LINK}, or ask {ADDRESS}"),
        ("see store.example/a?signature=abcdef", "see store.example/a?"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.abc", f"jwt {TOKEN}"),
    ],
)
def test_text_keeps_its_lines_and_letters_but_nothing_that_opens_something(text, cleaned):
    assert clean_text(text, longest=1000) == cleaned
    assert clean_text(cleaned, longest=1000) == cleaned


def test_text_is_cut():
    assert clean_text("abcdef", longest=3) == "abc..."


@pytest.mark.parametrize(
    ("names", "separator", "listed"),
    [
        ([], ", ", ""),
        (["a", "b"], ", ", "a, b"),
        (["a", "b", "c", "d"], ", ", "a, b and 2 more"),
        (["a", "b", "c"], "; ", "a; b; and 1 more"),
    ],
)
def test_the_first_of_many_are_listed_and_the_others_counted(names, separator, listed):
    assert first_of(names, 2, separator) == listed
