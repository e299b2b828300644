"""Image files of every kind that a reader may choose, made here."""

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw

from utils.data.phantom import sample


@functools.cache
def lesions() -> list[np.ndarray]:
    """Return synthetic lesions of 28 × 28 pixels."""
    return list(sample(1)[0][:24])


def lesion(size: tuple[int, int] = (200, 150), number: int = 0) -> Image.Image:
    """Return a synthetic lesion, enlarged to width and height."""
    return Image.fromarray(lesions()[number]).resize(size, Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return the image as a file."""
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def turned_by_exif(image: Image.Image) -> bytes:
    """Return a JPEG that lies on its side and says so in its EXIF entry."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return saved(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=100)


def animated(kind: str) -> bytes:
    """Return two pictures in one file: a lesion, then blue."""
    first, second = lesion(), Image.new("RGB", (200, 150), "blue")
    return saved(first, kind, save_all=True, append_images=[second], duration=200, lossless=True)


def transparent() -> bytes:
    """Return a PNG that is wholly transparent, over black."""
    return saved(Image.new("RGBA", (64, 64), (0, 0, 0, 0)))


def huge_png() -> bytes:
    """Return the beginning of a PNG that says it has 400 million pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + bytes(100)
    )


def huge_jpeg() -> bytes:
    """Return the beginning of a JPEG of 225 million pixels, with a long entry before its size."""
    filler = b"\xff\xe2" + struct.pack(">H", 65_000) + bytes(64_998)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 15_000, 15_000, 3) + bytes(9)
    return b"\xff\xd8" + filler * 3 + frame + bytes(100)


def strangers() -> dict[str, bytes]:
    """Return images that show no lesion."""
    from sklearn.datasets import load_sample_image

    page = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(page)
    for line in range(14):
        draw.text(
            (10, 10 + 20 * line), "To be or not to be, that is the question. " * 2, fill="black"
        )
    rows, columns = np.indices((240, 320)) // 20
    board = ((rows + columns) % 2 * 255).astype(np.uint8)
    return {
        "temple": saved(Image.fromarray(load_sample_image("china.jpg"))),
        "text": saved(page),
        "wall": saved(Image.new("RGB", (300, 300), (236, 236, 230))),
        "chessboard": saved(Image.fromarray(board)),
    }


# Name → file and what the message has to say.
UNREADABLE = {
    "empty.png": (b"", "empty"),
    "notes.txt": (b"Just some words, no image at all.", "not an image"),
    "photo.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "HEIC"),
    "scan.tif": (saved(Image.new("RGB", (8, 8)), "TIFF"), "TIFF"),
    "paper.pdf": (b"%PDF-1.7\n" + bytes(100), "PDF"),
    "scan.dcm": (bytes(128) + b"DICM" + bytes(100), "DICOM"),
    "film.mp4": (b"\0\0\0\x18ftypisom" + bytes(100), "video"),
    "broken.png": (saved(Image.new("RGB", (50, 50), "red"))[:60], "broken"),
    "broken.jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(40), "broken"),
    "huge.png": (huge_png(), "400 million"),
    "huge.jpg": (huge_jpeg(), "225 million"),
}
