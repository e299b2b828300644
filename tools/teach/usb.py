"""`make usb`: everything for a room without internet, in one folder to copy to a stick.

``_build/usb/student`` is for everybody: ``wheels/`` (the packages of requirements.lock, for this
system and Python), ``reading-skin/`` (what `make classroom` writes, with the images), ``book/`` and
``book.py``, which opens it, without solutions. ``_build/usb/teacher`` is the whole course and book.
"""

import io
import os
import platform
import re
import shutil
import sys
import zipfile
from pathlib import Path

import nbformat
from PIL import Image
from tqdm import tqdm

from tools.book import course, render
from tools.book.course import ROOT, ChapterError, emptied, run_python
from tools.teach.student import HANDOUTS, WITHOUT_SOLUTIONS, classroom
from utils.data import photographs, records
from utils.files import replace_file

FOLDER = ROOT / "_build" / "usb"
README, OPENER = (ROOT / "teaching" / name for name in ("usb.txt", "open_book.py"))
WIDTH = 200  # pixels of photographs on the stick
PHANTOM = "NO REAL IMAGES ARE ON THIS STICK: all chapters run on the phantom (made-up lesions)."


def build(folder: Path = FOLDER, *, root: Path = ROOT) -> str:
    """Fill the folder anew; return what the loader says when it is called there."""
    images = course.best_images()  # which says what is wrong with them
    wheels, student, teacher = root / "_build" / "wheels", folder / "student", folder / "teacher"
    _wheels(wheels, root / "requirements.lock")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(wheels, student / "wheels", copy_function=os.link)
    here = classroom(student / "reading-skin", root=root)
    if not images.is_phantom:
        copy_images(Path(course.real_data()), here / "data" / "raw")
    said = loaded(here, phantom=images.is_phantom)
    course.copy_working_tree(teacher / "reading-skin", root=root)
    shutil.copytree(here / "data", teacher / "reading-skin" / "data", dirs_exist_ok=True)
    shutil.copytree(root / "_build" / "html", teacher / "book")
    students_book(student / "book")
    for place, text in zip((student, teacher), readme(said).split("=====\n"), strict=True):
        shutil.copy(OPENER, place / "book.py")
        replace_file(place / "README.txt", text)
    return said


def read_by_loader(source: Path) -> set[Path]:
    """Return the files of a folder that the loader reads: tables, zips of photographs, JPEGs."""
    stems = ("HAM10000_metadata", "hmnist_28_28_RGB", photographs.EXTERNAL_TABLE)
    tables = [records.find_table(source, stem) for stem in stems]
    paths = {Path(t.root.filename) if isinstance(t, zipfile.Path) else t for t in tables if t}
    for outside in (False, True):
        places = photographs.in_zips(photographs.zips_in(source, outside))
        paths |= {place.path for place in places if photographs.image_id_of(place.member)}
    return paths | {place.path for place in photographs.in_folders(source)}


def copy_images(source: Path, raw: Path) -> None:
    """Copy what the loader reads; photographs of 600 × 450 pixels become 200 × 150 (some 60 MB)."""
    for path in sorted(read_by_loader(source)):
        place = raw / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as old, zipfile.ZipFile(place, "w") as new:
                for name in tqdm(old.namelist(), desc=path.name, leave=False, mininterval=0.5):
                    new.writestr(name, _smaller(name, old.read(name)))
        else:
            place.write_bytes(_smaller(path.name, path.read_bytes()))


def _smaller(name: str, content: bytes) -> bytes:
    """Return a photograph with a whole part of its pixels, WIDTH or more wide; else the same."""
    if re.search(r"(?i)(^|/)ISIC_\w+\.jpe?g$", name):
        photograph, smaller = Image.open(io.BytesIO(content)), io.BytesIO()
        if (factor := photograph.width // WIDTH) > 1:
            photograph.convert("RGB").reduce(factor).save(smaller, "JPEG", quality=90)
            return smaller.getvalue()
    return content


def loaded(place: Path, *, phantom: bool) -> str:
    """Load the images as on the stick, which fills the cache; return what the loader says."""
    env = {key: value for key, value in course.environment().items() if "HAM10000" not in key}
    env |= {"HAM10000_DIR": "phantom"} if phantom else {}
    code = "from utils.data import load_ham10000; load_ham10000()"
    done = run_python(["-Bc", code], env=env, cwd=place)
    said = re.search("^Data: (.+)", done.stdout, re.MULTILINE)
    if not said or ("phantom" in said[1]) != phantom:
        raise ChapterError(f"The images in {place / 'data'} are of no use:\n{done.stdout[-1500:]}")
    return said[1]


def students_book(html: Path) -> None:
    """Render the book without solutions and without the teacher's pages."""
    print("Rendering the students' book", flush=True)
    folder = ROOT / "_build" / "usb-book"
    render.stage(folder)
    for path in folder.glob("chapters/*.ipynb"):
        notebook, _ = WITHOUT_SOLUTIONS.preprocess(nbformat.read(path, as_version=4), {})
        nbformat.write(notebook, path)
    teachers = rf"(?m)^ *- file: teaching/(?!{'|'.join(HANDOUTS)}).*\n"
    toc = re.sub(teachers, "", (folder / "_toc.yml").read_text(encoding="utf-8"))
    replace_file(folder / "_toc.yml", toc.replace("Teach with it", "To hand out"))
    render.publish_html(folder, "--quiet", html=html)  # not strict: some links lead to such pages
    for path in html.glob("slides/*.html"):  # what the teacher is to say
        text = re.sub(r'(?s)<aside class="notes">.*?</aside>', "", path.read_text(encoding="utf-8"))
        replace_file(path, text)


def readme(said: str, system: str = platform.system()) -> str:
    """Return the students' lines and the teacher's, with the commands of this operating system."""
    windows = system == "Windows"
    return README.read_text(encoding="utf-8").format(
        system=f"{system} {platform.machine()}",
        version=f"{sys.version_info[0]}.{sys.version_info[1]}",
        python="py" if windows else "python3",
        inside="venv\\Scripts\\" if windows else "venv/bin/",
        images=PHANTOM if "phantom" in said else said,
    )


def _wheels(folder: Path, lock: Path) -> None:
    """Download what the lock names, hashes checked; files that are no longer in it are removed."""
    print("Packages: downloading what is missing (1 to 2 GB at the first time)", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = emptied(folder.with_name(".wheels"))
    words = "download --quiet --disable-pip-version-check --only-binary :all: --require-hashes"
    words = [*words.split(), "--requirement", lock, "--dest", fresh, "--find-links", folder]
    if run_python(["-m", "pip", *words], capture=False).returncode:
        raise ChapterError("pip could not download all packages, for which it needs a network.")
    shutil.rmtree(folder)
    fresh.rename(folder)


if __name__ == "__main__":
    said = build()
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(f"Ready to be copied: {FOLDER} ({size / 1e6:,.0f} MB). Images: {said}")
    if "phantom" in said:
        print(f"\n!!! {PHANTOM}")
        print("!!! Put images into data/raw/ (data-and-licence.md), run it again.")
