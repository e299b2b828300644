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
    return list(sample(1)[0][:24])


def lesion(size: tuple[int, int] = (200, 150), number: int = 0) -> Image.Image:
    return Image.fromarray(lesions()[number]).resize(size, Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def lying(image: Image.Image, orientation: int, kind: str, **options: object) -> bytes:
    """Return a file of the image as it lies when a camera was turned, which its EXIF entry says."""
    turn = Image.Transpose[{3: "ROTATE_180", 6: "ROTATE_90", 8: "ROTATE_270"}[orientation]]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image.transpose(turn), kind, exif=exif, **options)


def animated(kind: str) -> bytes:
    first, second = lesion(), Image.new("RGB", (200, 150), "blue")
    return saved(first, kind, save_all=True, append_images=[second], duration=200, lossless=True)


def huge_png(width: int = 20_000, height: int = 20_000) -> bytes:
    """Return the beginning of a PNG of so many pixels, as far as it is read before decoding."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = struct.pack(">I", zlib.crc32(head)) + struct.pack(">I", 9) + b"IDAT" + bytes(100)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + data


def huge_jpeg() -> bytes:
    """Return the beginning of a JPEG of 225 million pixels, with a long entry before its size."""
    filler = b"\xff\xe2" + struct.pack(">H", 65_000) + bytes(64_998)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 15_000, 15_000, 3) + bytes(9)
    return b"\xff\xd8" + filler * 3 + frame + bytes(100)


def strangers() -> dict[str, bytes]:
    from sklearn.datasets import load_sample_image

    page = Image.new("RGB", (400, 300), "white")
    lines = "\n".join(["To be or not to be, that is the question. " * 2] * 14)
    ImageDraw.Draw(page).multiline_text((10, 10), lines, fill="black", spacing=8)
    board = (np.indices((240, 320)) // 20).sum(axis=0) % 2 * 255
    return {
        "temple": saved(Image.fromarray(load_sample_image("china.jpg"))),
        "text": saved(page),
        "wall": saved(Image.new("RGB", (300, 300), (236, 236, 230))),
        "chessboard": saved(Image.fromarray(board.astype(np.uint8))),
    }


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
VIDEO = b"\0\0\0\x18ftypisom" + bytes(100)
PDF = b"%PDF-1.7\n" + bytes(100)
DICOM = bytes(128) + b"DICM" + bytes(100)
WORDS = b"Just some words, no image at all."
# Name → file and what the page's message has to say.
UNREADABLE = {
    "empty.png": (b"", "empty"), "notes.txt": (WORDS, "not an image"),
    "photo.heic": (HEIC, "HEIC"), "scan.tif": (saved(Image.new("RGB", (8, 8)), "TIFF"), "TIFF"),
    "paper.pdf": (PDF, "PDF"), "scan.dcm": (DICOM, "DICOM"), "film.mp4": (VIDEO, "video"),
    "broken.png": (saved(Image.new("RGB", (50, 50), "red"))[:60], "broken"),
    "broken.jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(40), "broken"),
    "huge.png": (huge_png(), "400 million"), "huge.jpg": (huge_jpeg(), "225 million"),
    "huge.avif": (b"\0\0\0\x0cftypavif\0\0\0\x14ispe\0\0\0\0\0\0>\x80\0\0>\x80", "256 million"),
}  # fmt: skip
