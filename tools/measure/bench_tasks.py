"""One measurement of `make bench` in a process of its own.

``python -m tools.measure.bench_tasks NAME SETTINGS FILE`` runs the function NAME with the JSON object
SETTINGS and writes what it returns into FILE. Imports stand inside the functions, so that a
measurement of memory holds what it needs and nothing else.
"""

import json
import sys
from pathlib import Path

from tools.measure.bench_data import load, prepare, read_csv
from tools.measure.bench_training import course, epoch, nothing, original, predict
from utils.files import write_json

TASKS = {
    task.__name__: task
    for task in (prepare, nothing, original, course, read_csv, load, epoch, predict)
}


if __name__ == "__main__":
    name, settings, file = sys.argv[1:]
    write_json(Path(file), TASKS[name](**json.loads(settings)))
