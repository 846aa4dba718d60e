"""Files that a passphrase encrypts: written in one go, read at any place.

The key comes from the passphrase and a random salt by scrypt. The text is cut into chunks, each
sealed by AES-256-GCM under its number and whether it is the last: no chunk can be changed, moved,
left out or cut off unnoticed. A key is used for one file only, so a number is never used twice.
"""

import io
import os
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"syncify sealed 1\n"
_SALT, _TAG, CHUNK = 16, 16, 65536
_HEADER = len(MAGIC) + _SALT
#: 32 MB and a tenth of a second for each guess.
_COST = 2**15


class WrongPassphrase(Exception):
    """Or a file that was changed."""


def is_sealed(file: BinaryIO) -> bool:
    """Whether ``file``, which stands at its beginning afterwards, is encrypted."""
    file.seek(0)
    found = file.read(len(MAGIC))
    file.seek(0)
    return found == MAGIC


def _key(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode()))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


class SealedWriter(io.RawIOBase):
    """Encrypts what is written into ``file``; ``close`` writes the end and leaves ``file`` open."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        salt = os.urandom(_SALT)
        self._file, self._key = file, _key(passphrase, salt)
        self._waiting, self._number = bytearray(), 0
        self._header = MAGIC + salt
        file.write(self._header)

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._waiting += data
        # One chunk is held back, for the last one is marked.
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), is_last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._seal(bytes(self._waiting), is_last=True)
        super().close()

    def _seal(self, text: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._number, is_last=is_last)
        self._file.write(self._key.encrypt(nonce, text, self._header))
        self._number += 1


class SealedReader(io.RawIOBase):
    """The text of an encrypted ``file``. Reading raises WrongPassphrase."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._file = file
        size = file.seek(0, io.SEEK_END) - _HEADER
        file.seek(0)
        self._header = file.read(_HEADER)
        self._key = _key(passphrase, self._header[len(MAGIC) :])
        self._last = max(0, -(-size // (CHUNK + _TAG)) - 1)
        self._size = max(0, size - (self._last + 1) * _TAG)
        self._place, self._number, self._text = 0, -1, b""
        self._open(self._last)  # fails at once for a wrong passphrase or a file cut short

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        if self._place >= self._size:
            return 0
        number, within = divmod(self._place, CHUNK)
        if number != self._number:
            self._open(number)
        found = self._text[within : within + len(buffer)]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)

    def _open(self, number: int) -> None:
        self._file.seek(_HEADER + number * (CHUNK + _TAG))
        sealed = self._file.read(CHUNK + _TAG)
        try:
            nonce = _nonce(number, is_last=number == self._last)
            self._text = self._key.decrypt(nonce, sealed, self._header)
        except InvalidTag as error:
            raise WrongPassphrase from error
        self._number = number
