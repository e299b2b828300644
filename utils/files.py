"""Files are there whole or not at all, and are named by what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__: list[str] = []


def replace_file(path: Path, content: str | bytes | Callable[[BinaryIO], object]) -> None:
    """Write text, bytes, or what a function writes into the open binary file it is given.

    The file is written under a temporary name, then put in place in one step, so whoever reads,
    also in another process, sees the old file or the new one. A missing folder is made.
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


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
