"""Opens text files as streams of UTF-8, compressed or not, and refuses what cannot be one.

A compressed file that holds absurdly much is refused before it fills the machine.
"""

import io
import stat
from pathlib import Path

import pyarrow as pa

from components.errors import BadDataError
from components.source.raw_rows import FileFormat

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_HEAD_BYTES = 1 << 16
_FREE_BYTES = 1 << 24  # a small file may hold this much whatever its size
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def kind(file: Path) -> str:
    """Returns the suffix that says what is in a file, without that of a compression."""
    name = Path(file.name.lower())
    return Path(name.stem).suffix if name.suffix in _COMPRESSIONS else name.suffix


def check_regular(file: Path) -> None:
    """Refuses what is no file: a folder, a pipe, a device, a link to nowhere or to itself.

    Raises:
      BadDataError: Naming it. OSError is left to the caller.
    """
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise BadDataError(f"{file}: expected a file, got {what}. Take it out of the source.")


def open_text(file: Path, form: FileFormat) -> pa.NativeFile:
    """Opens a text file as UTF-8.

    Raises:
      BadDataError: While reading, if it holds more than `form.max_expansion` allows.
    """
    compression = _COMPRESSIONS.get(file.suffix.lower())
    stream = pa.OSFile(str(file), "rb")
    if compression is not None:
        limit = _FREE_BYTES + form.max_expansion * file.stat().st_size
        # A few bytes of zeros can hold a terabyte: counted while they come, not after.
        text = _LimitedStream(pa.CompressedInputStream(stream, compression), file, limit)
        stream = pa.PythonFile(text, mode="r")
    if form.encoding != "utf-8":
        stream = pa.transcoding_input_stream(stream, form.encoding, "utf-8")
    return stream


def head(file: Path, form: FileFormat) -> bytes:
    """Returns the beginning of a text file as UTF-8 without its byte order mark.

    Raises:
      BadDataError: If it begins like text of another encoding.
    """
    with open_text(file, form) as stream:
        start = stream.read(_HEAD_BYTES)
    if form.encoding == "utf-8" and start[:2] in _BOMS:
        encoding = _BOMS[start[:2]]
        raise BadDataError(
            f"{file}: expected UTF-8, got {encoding.upper()}. Convert the file, or set `encoding: "
            f"{encoding}` of a source with the layout `columns`."
        )
    return without_mark(start)


def without_mark(start: bytes) -> bytes:
    """Returns the beginning of a file without the byte order mark of UTF-8."""
    return start.removeprefix(b"\xef\xbb\xbf")


class LineCounter(io.RawIOBase):
    """A stream that knows how many lines it has given."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream, self._num_breaks, self._last = stream, 0, b"\n"

    @property
    def num_lines(self) -> int:
        """Lines up to now; the last one may lack its break."""
        return self._num_breaks + (self._last != b"\n")

    def readable(self) -> bool:
        """Whether it can be read, as a stream is asked."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Reads the next bytes, at most `size` of them."""
        data = self._stream.read(size)
        self._num_breaks += data.count(b"\n")
        self._last = data[-1:] or self._last
        return data

    def close(self) -> None:
        """Closes it and the stream below."""
        self._stream.close()
        super().close()


class _LimitedStream(io.RawIOBase):
    """A stream that ends with an error when it gives more bytes than allowed."""

    def __init__(self, stream: pa.NativeFile, file: Path, limit: int) -> None:
        self._stream, self._file, self._limit, self._count = stream, file, limit, 0

    def readable(self) -> bool:
        """Whether it can be read, as a stream is asked."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Reads the next bytes, and counts them."""
        data = self._stream.read(size)
        self._count += len(data)
        if self._count > self._limit:
            size = self._file.stat().st_size
            raise BadDataError(
                f"{self._file}: holds more than {self._limit:,} bytes in {size:,}. "
                "If that is as it should be, raise `ingest_events.max_expansion`."
            )
        return data

    def close(self) -> None:
        """Closes it and the stream below."""
        self._stream.close()
        super().close()
