"""Write files whole or not at all. Imports next to nothing: `make bench` measures memory by it."""

import json
import os
from pathlib import Path


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name, then put it in place in one step.

    A stopped run leaves the old file or the new one, never half.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: dict) -> None:
    """Write a record as JSON, whole or not at all."""
    replace_file(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
