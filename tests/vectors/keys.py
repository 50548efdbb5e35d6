"""Ways to unlock and the life of headers: what opens, and secrets that do not."""

from collections.abc import Iterator

from vectors.bech32 import BECH32M, bech32
from vectors.case import ROLLBACK, WRONG, Case, bad, good
from vectors.expected import seen
from vectors.maps import MEMORY, memory
from vectors.scribe import Scribe

KEY = "strongroom-key-"


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _ways()
    yield from _passphrases()
    yield from _headers()
    yield from _stale_headers()
    yield from _wrong()


def _ways() -> Iterator[Case]:
    for kind in ("keyring", "command", "recovery"):
        s = Scribe(f"good-slot-{kind}")
        s.add_way("file")
        way = s.add_way(kind)
        s.new_header()
        yield good(s, f"A slot of kind {kind} opens the vault.", unlock=s.unlock_with(way))

    s = Scribe.begun("good-secret-upper-case")
    yield good(s, "A secret may be upper case.", unlock={"secret": s.unlock["secret"].upper()})

    s = Scribe("good-sixteen-slots")
    ways = [s.add_way("file") for _ in range(16)]
    s.new_header()
    yield good(s, "The last of sixteen slots opens the vault.", unlock=s.unlock_with(ways[-1]))


def _passphrases() -> Iterator[Case]:
    s = Scribe("good-passphrase")
    s.add_way("passphrase", "correct horse battery staple")
    s.new_header()
    s.commit((MEMORY, memory("tea")))
    yield good(s, "A passphrase opens the vault.", seen("m1", "tea", 2, 0))

    s = Scribe("good-passphrase-normalised")
    s.add_way("passphrase", "ﬁne café № 5")
    s.new_header()
    typed = " \tfine cafe\u0301 No 5\n"
    yield good(
        s,
        "A passphrase loses its outer white space and is read in NFKC.",
        unlock={"passphrase": typed},
    )

    s = Scribe("good-passphrase-trimmed")
    s.add_way("passphrase", "correct horse")
    s.new_header()
    yield good(
        s,
        "White space around a passphrase is Unicode's, and U+001C to U+001F.",
        unlock={"passphrase": "\x1c\x1f\x85\xa0\u1680\u2028correct horse\u3000\u2029\u205f\x0b\x1d\x1e"},
    )

    s = Scribe("good-passphrase-trimmed-last")
    s.add_way("passphrase", "\u0308tea")
    s.new_header()
    yield good(
        s,
        "White space is taken away after NFKC, which makes a space and an accent of U+00A8.",
        unlock={"passphrase": "\xa8tea"},
    )

    s = Scribe("good-second-passphrase")
    s.add_way("passphrase", "correct horse battery staple")
    way = s.add_way("passphrase", "another one for a friend")
    s.new_header()
    yield good(s, "The second of two passphrases opens the vault.", unlock=s.unlock_with(way))


def _headers() -> Iterator[Case]:
    s = Scribe.begun("good-slot-added")
    s.commit((MEMORY, memory("tea")))
    way = s.add_way("recovery")
    s.new_header()
    yield good(
        s,
        "The second header brought a recovery key.",
        seen("m1", "tea", 2, 0),
        unlock=s.unlock_with(way),
    )

    s = Scribe.begun("good-rotation")
    s.commit((MEMORY, memory("tea")), (MEMORY, memory("coffee", "m2")))
    s.rotate_keys()
    s.new_header()
    s.commit((MEMORY, memory("water", "m3")), ops=[[2, 2, 1], [4, 2, 0, None, 1]])
    s.erase(2, 1)
    s.rotate_keys()
    s.new_header()
    s.commit((MEMORY, memory("milk", "m4")))
    yield good(
        s,
        "Two rotations: older records open with the keys of their generation.",
        seen("m1", "tea", 2, 0, pinned=True),
        seen("m3", "water", 4, 0),
        seen("m4", "milk", 6, 0),
    )

    s = Scribe.begun("good-header-pending")
    s.commit((MEMORY, memory("tea")))
    s.add_way("recovery")
    s.write_header()
    yield good(s, "A header one ahead still waits for its commit.", seen("m1", "tea", 2, 0))

    s = Scribe.begun("good-rotation-pending")
    s.commit((MEMORY, memory("tea")))
    s.rotate_keys()
    s.write_header()
    yield good(s, "A rotation still waits for its commit.", seen("m1", "tea", 2, 0))

    s = Scribe.begun("good-header-pending-after-rotation")
    s.rotate_keys()
    s.new_header()
    s.commit((MEMORY, memory("tea")))
    s.write_header()
    yield good(s, "After a rotation, a header one ahead still waits for its commit.", seen("m1", "tea", 3, 0))


def _stale_headers() -> Iterator[Case]:
    s = Scribe.begun("header-older")
    older = s.body, s.mac
    s.add_way("recovery")
    s.new_header()
    s.body, s.mac = older
    yield bad(s, "The header is older than the last one in the log.", error=ROLLBACK)

    s = Scribe.begun("header-much-older")
    older = s.body, s.mac
    for _ in range(3):
        s.new_header()
    s.body, s.mac = older
    yield bad(s, "The header is three older than the last one in the log.", error=ROLLBACK)

    s = Scribe.begun("header-before-rotation")
    older = s.body, s.mac
    s.rotate_keys()
    s.new_header()
    s.body, s.mac = older
    yield bad(s, "The header is from before a rotation that the log shows.")

    s = Scribe.begun("header-two-ahead")
    s.write_header()
    s.write_header()
    yield bad(s, "The header is two ahead of the log.")

    s = Scribe.begun("header-pending-hmac")
    s.write_header(mac=lambda _: bytes(32))
    yield bad(s, "The header is one ahead of the log, and its HMAC wrong.")

    s = Scribe.begun("header-pending-two-rotations")
    s.rotate_keys()
    s.rotate_keys()
    s.write_header()
    yield bad(s, "The header is one ahead of the log, its key generation two.")

    s = Scribe.begun("header-same-generation")
    s.generation -= 1
    s.add_way("recovery")
    s.write_header()
    yield bad(s, "The header has the generation that the log names, but is another one.")


def _wrong() -> Iterator[Case]:
    s = Scribe("secret-wrong-passphrase")
    s.add_way("passphrase", "correct horse battery staple")
    s.new_header()
    yield bad(s, "The passphrase is wrong.", error=WRONG, unlock={"passphrase": "correct horse"})

    s = Scribe("secret-passphrase-zero-width")
    s.add_way("passphrase", "correct horse")
    s.new_header()
    typed = "\u200bcorrect horse"
    yield bad(s, "U+200B, which is no white space, stays in a passphrase.", error=WRONG, unlock={"passphrase": typed})

    s = Scribe.begun("secret-no-such-slot")
    yield bad(s, "A passphrase, but no slot of that kind.", error=WRONG, unlock={"passphrase": "tea"})

    s = Scribe("secret-no-slots")
    s.add_way("file")
    s.new_header(edit=lambda header: header["slots"].clear())
    yield bad(s, "The header has no slot.", error=WRONG)

    s = Scribe("secret-spelling")
    way = s.add_way("file")
    s.new_header()
    right = s.unlock["secret"]
    spellings = {
        "other": ("The secret is another one.", bech32(KEY, s.fresh(32))),
        "checksum": ("The checksum of the secret is wrong.", _flipped(right)),
        "mixed-case": ("The secret mixes upper and lower case.", KEY.upper() + right[len(KEY) :]),
        "prefix": ("The secret has a prefix of something else.", bech32("age-secret-key-", way.secret)),
        "recovery-prefix": (
            "A recovery key does not open a slot of kind file.",
            bech32("strongroom-recovery-", way.secret),
        ),
        "bech32m": ("The checksum is that of Bech32m.", bech32(KEY, way.secret, constant=BECH32M)),
        "short": ("The secret has 31 bytes.", bech32(KEY, way.secret[:31])),
        "long": ("The secret has 33 bytes.", bech32(KEY, way.secret + b"\0")),
        "left-over": ("The bits after the secret are not zero.", bech32(KEY, way.secret, left_over=5)),
        "alphabet": ("The secret has a letter outside the alphabet.", right[:-1] + "b"),
        "no-prefix": ("The secret has no prefix.", right[len(KEY) + 1 :].replace("1", "q")),
        "empty": ("The secret is empty.", ""),
    }
    for name, (what, secret) in spellings.items():
        s.seed = f"secret-{name}"
        yield bad(s, what, error=WRONG, unlock={"secret": secret})


def _flipped(secret: str) -> str:
    return secret[:-1] + ("q" if secret[-1] != "q" else "p")
