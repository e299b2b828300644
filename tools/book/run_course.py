"""`make course`: run every chapter on the best data there is, then render the book from them."""

import os
import time

import nbformat

from tools.book import course
from tools.book.course import ROOT, TRAINS, ChapterError, chapters, run_python
from tools.book.render import publish_html, stage

CPU_EPOCHS = 10  # the training chapter's own number is for GPUs and for `make publish`


def gpu_name() -> str | None:
    """Return the name of the GPU that Keras would use, or None where there is none."""
    # In a process of its own: TensorFlow would keep the GPU's memory while the chapters run.
    code = "from utils.start import leave_settings_aside; leave_settings_aside(); "
    code += "from utils.weights import device_name; print('DEVICE', device_name())"
    done = run_python(["-c", code])
    if done.returncode:
        raise ChapterError(f"Keras cannot be imported:\n{done.stdout[-1500:]}")
    name = done.stdout.rpartition("DEVICE ")[2].splitlines()[0]
    return None if name.startswith("CPU") else name


if __name__ == "__main__":
    start, folder = time.perf_counter(), ROOT / "_build" / "course"
    todo = chapters()
    print("1. Data", flush=True)
    if course.best_images().is_phantom:  # the chapters need not try a download each
        os.environ["HAM10000_DIR"] = "phantom"

    print("2. Chapters", flush=True)
    parameters = {}
    if os.environ.get("COURSE_QUICK") == "1":
        print("   COURSE_QUICK is set: the chapters run small, to try them out.", flush=True)
    elif gpu := gpu_name():
        print(f"   GPU found ({gpu}): the training runs its full number of epochs.", flush=True)
    else:
        parameters = {"EPOCHS": CPU_EPOCHS}
        print(f"   No GPU found: the training runs {CPU_EPOCHS} epochs only.", flush=True)
    stage(folder, with_chapters=False)
    for number, notebook in enumerate(todo, 1):
        print(f"   [{number}/{len(todo)}] {notebook.stem}", flush=True)
        copy = folder / "chapters" / notebook.name
        given = parameters if notebook.name.startswith(TRAINS) else {}
        seconds = course.execute(notebook, copy, parameters=given)
        ran_on = course.data_of(nbformat.read(copy, as_version=4)) or "none"
        print(f"       {seconds:.0f} s, data: {ran_on}", flush=True)

    print("3. Book", flush=True)
    page = publish_html(folder)
    print(f"Done in {(time.perf_counter() - start) / 60:.1f} minutes. Open {page.as_uri()}")
