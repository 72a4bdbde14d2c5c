"""Standard input that holds an image, where something else is read: `cat nine.png | rnnvision predict source=-`."""

from io import BufferedReader

from rnnvision.errors import UsageError

BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes, which is how the versions of the format are told apart


def refuse_image(stream: BufferedReader, instead: str) -> None:
    """Refuse the bytes of an image, without taking any from the stream; it may be a pipe into which little has come.

    Raises:
        UsageError: with what to give instead.
    """
    if is_image(stream.peek(18)):
        raise UsageError(f"source=-: standard input holds the bytes of an image; give {instead}, or source=FILE")


def is_image(start: bytes) -> bool:
    """Whether a file that starts like this is a PNG, JPEG, GIF, BMP, WebP or TIFF.

    The letters alone would do for the names of files too, such as BMW.jpg, and a few bytes for rows of pixels.
    """
    if start.startswith((b"GIF87a", b"GIF89a")):
        return min(start[6:10], default=32) < 32  # its width and height
    if start.startswith(b"BM"):
        return start[6:10] == bytes(4) and int.from_bytes(start[14:18], "little") in BMP_HEADERS
    if start.startswith((b"II*\0", b"MM\0*")):
        place = int.from_bytes(start[4:8], "little" if start[:2] == b"II" else "big")
        return 8 <= place < 2**31 and 0 in start[4:8]
    if start.startswith(b"\xff\xd8\xff"):  # then a segment: of quantisation, or of an application with its name
        return start[3:5] == b"\xdb\0" or (start[3:4] >= b"\xe0" and start[6:9].isalpha())
    return start.startswith(b"\x89PNG\r\n\x1a\n") or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
