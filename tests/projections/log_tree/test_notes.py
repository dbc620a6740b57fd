"""Signed notes are those of C2SP, by the vectors that it and Go publish."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from projections.log_tree.keys import verifier_of
from projections.log_tree.notes import Signer, WrongNote, parse_note, parse_verifier
from tests.projections.log_tree.sealed_log import SIGNER

# From c2sp.org/signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXm"
    "RKuwHjG1Yu72IneyaQM=\n"
)
# From the documentation of golang.org/x/mod/sumdb/note.
GO_NAME = "PeterNeumann"
GO_KEY = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM="
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
    "qdngotpRZb6KE6RyyBwJnAM=\n"
)


@pytest.mark.parametrize(("vkey", "note"), [(VKEY, NOTE), (GO_VKEY, GO_NOTE)])
def test_published_notes_are_verified_with_their_keys(vkey: str, note: str) -> None:
    verifier = parse_verifier(vkey)
    verifier.verify(parse_note(note))
    assert str(verifier) == vkey
    assert str(parse_note(note)) == note
    with pytest.raises(WrongNote):
        verifier.verify(parse_note(note.replace("is", "was", 1)))


def test_a_note_is_signed_as_go_signs_it() -> None:
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(GO_KEY))
    signer = Signer(GO_NAME, key)
    assert str(signer.verifier()) == GO_VKEY
    assert str(signer.sign(GO_NOTE.partition("\n\n")[0] + "\n")) == GO_NOTE


def test_signatures_of_unknown_keys_are_ignored_and_missing_ones_are_not() -> None:
    note = parse_note(NOTE)
    also = SIGNER.sign(note.text)
    both = parse_note(str(note) + str(also).partition("\n\n")[2])
    SIGNER.verifier().verify(both)
    parse_verifier(VKEY).verify(both)
    with pytest.raises(WrongNote, match="not signed by the key"):
        SIGNER.verifier().verify(note)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "text\n",
        "text\n\n",
        NOTE[:-1],
        NOTE.replace("message", "mess\tage"),
        NOTE.replace("— ", "-- "),
        NOTE.replace("QM=", "QM"),
        NOTE.replace("QM=", "QN="),
        NOTE.replace("Uw2Q", "Uw2!"),
        NOTE.partition("—")[0] + "— example.com/foo Uw2QOg==\n",
        NOTE + "a line\n",
        NOTE + "— a b\n" * 200,
    ],
)
def test_what_is_no_note_is_refused(content: str) -> None:
    with pytest.raises(WrongNote):
        parse_note(content)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "example.com/foo",
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("foo", "bar"),
        VKEY.replace("foo", "f oo"),
        VKEY.replace("+Aeky", "+Beky"),
        VKEY[:-4],
    ],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(WrongNote):
        parse_verifier(vkey)


def test_a_public_key_is_read_as_verifier_key_as_pem_and_as_base64() -> None:
    verifier = SIGNER.verifier()
    pem = verifier.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = base64.b64encode(verifier.key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    for content in (str(verifier).encode(), pem, raw + b"\n"):
        assert str(verifier_of(content, origin=SIGNER.name)) == str(verifier)
    for content in (b"", b"-----BEGIN NOTHING-----", b"abcd", b"\xff"):
        with pytest.raises(WrongNote):
            verifier_of(content, origin=SIGNER.name)
