"""Files are there whole or not at all, and are named by what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

__all__: list[str] = []


def replace_file(path: Path, content: str | bytes | Callable[[BinaryIO], object]) -> None:
    """Write text, bytes, or what a function writes into an open file; a missing folder is made.

    Whoever reads, also in another process, sees the old file or the new one: it gets its name last.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def named_source() -> str:
    """Return what HAM10000_DIR names, without the blanks and quotes that some shells leave."""
    named = os.environ.get("HAM10000_DIR", "").strip(" \t\r\n\"'")
    return "phantom" if named.lower() == "phantom" else named


def write_json(path: Path, content: dict) -> None:
    """Write a record as JSON, whole or not at all."""
    replace_file(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; an OSError, ValueError or RecursionError says why not."""
    if not hash_file(path):
        raise ValueError("it is no file, or far too large")
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def own_file(path: Path) -> Iterator[None]:
    """Turn what a damaged file of the course raises while it is used into an error with a cure."""
    try:
        yield
    except Exception as error:  # decoders and what uses a wrong content have many kinds
        problem = f"{path} is missing or damaged ({type(error).__name__}: {error})."
        cure = f"Restore this file of the course (`git checkout -- {path.name}` in its folder)."
        raise ValueError(f"{problem} {cure}") from error


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits; "" of what is no file of 2 GB."""
    if path.exists() and not (path.is_file() and path.stat().st_size < 2 * 10**9):
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
