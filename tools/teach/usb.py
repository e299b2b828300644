"""`make usb`: everything for a room without internet, in one folder to copy to a stick.

``_build/usb`` holds ``wheels/`` (the packages of requirements.lock, for this system and Python),
``reading-skin/`` (the course, with what is prepared in data/cache), ``book/`` (the rendered pages),
``student/`` (copies without solutions) and README.txt, three lines.
"""

import platform
import shutil
import sys
from pathlib import Path

from tools.book.course import ROOT, ChapterError, copy_working_tree, run_python
from utils.files import replace_file

FOLDER = ROOT / "_build" / "usb"
README = ROOT / "teaching" / "usb.txt"


def build(folder: Path = FOLDER, *, root: Path = ROOT) -> Path:
    """Fill the folder; packages that are there already and still fit are kept."""
    _wheels(folder / "wheels", root / "requirements.lock")
    course = folder / "reading-skin"
    shutil.rmtree(course, ignore_errors=True)
    copy_working_tree(course, root=root)
    for path in (root / "data" / "cache").glob("lesions_28_*.npz"):
        (course / "data" / "cache").mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, course / "data" / "cache")
    for name, source in (("book", "html"), ("student", "student")):
        if not (root / "_build" / source).is_dir():
            raise ChapterError(f"{source} is missing; run `make {name}` first.")
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(root / "_build" / source, folder / name)
    replace_file(folder / "README.txt", readme())
    return folder


def readme(system: str | None = None) -> str:
    """Return the three lines, with the commands of this operating system."""
    system = system or platform.system()
    windows = system == "Windows"
    return README.read_text(encoding="utf-8").format(
        system=f"{system} {platform.machine()}",
        version=f"{sys.version_info[0]}.{sys.version_info[1]}",
        python="py" if windows else "python3",
        inside="venv\\Scripts\\" if windows else "venv/bin/",
    )


def _wheels(folder: Path, lock: Path) -> None:
    """Download what the lock names, hashes checked; files that are no longer in it are removed."""
    print("Packages: downloading what is missing (1 to 2 GB at the first time)", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(".wheels")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    words = "download --quiet --disable-pip-version-check --only-binary :all: --require-hashes"
    words = [*words.split(), "--requirement", lock, "--dest", fresh, "--find-links", folder]
    if run_python(["-m", "pip", *words], capture=False).returncode:
        raise ChapterError(
            "The packages could not be downloaded; pip's message stands above. "
            "This step needs a network, once."
        )
    shutil.rmtree(folder)
    fresh.rename(folder)


if __name__ == "__main__":
    place = build()
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    print(f"Ready to be copied: {place} ({size / 1e6:,.0f} MB).")
