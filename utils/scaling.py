"""When one computer is not enough: images that stay on disk, jobs on several machines."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from utils.data.records import DAMAGE, DataError
from utils.start import on_colab

__all__ = [
    "ImagesOnDisk",
    "as_they_finish",
    "draw_weights",
    "kill_busy_worker",
    "need",
    "worker_settings",
    "write_images",
]


# Where a package is not installed under the name of its import. Dask's extra takes the version of
# `distributed` that fits the Dask that is there.
_INSTALLED_AS = {"distributed": "dask[distributed]"}


def need(*packages: str) -> None:
    """Make sure that packages are there which the numbered chapters do without.

    On Colab what is missing is installed, as the set-up cell does; elsewhere that is the reader's
    own decision.

    Parameters
    ----------
    *packages : str
        Names under which they are imported.

    Raises
    ------
    ModuleNotFoundError
        If one is missing and this is not Colab, or it could not be installed; the message says
        what to do.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    names = [_INSTALLED_AS.get(name, name) for name in missing]
    if missing and on_colab():
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *names])
        importlib.invalidate_caches()
        if done.returncode == 0:
            return
    if missing:
        quoted = " ".join(f'"{name}"' if "[" in name else name for name in names)
        raise ModuleNotFoundError(
            f"This page needs {', '.join(missing)}, which the numbered chapters do without. Run "
            f"`python -m pip install {quoted}`, then restart the kernel."
        )


# --- Images on disk ------------------------------------------------------------------------------


class ImagesOnDisk:
    """Images in a ``.npy`` file that answer ``images[rows]`` as an array in memory does.

    So they can stand in `LesionImages.images`, and whatever asks for some rows at a time
    (`utils.training.Rows`) reads these rows from disk. The file is opened anew for each request:
    what the operating system keeps of it between two requests is its own memory, which it gives
    back when a program needs it, and not this program's.

    Parameters
    ----------
    path : Path
        Written by `write_images` or by ``numpy.save``.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype

    Raises
    ------
    DataError
        If there is no such file, or it does not hold images.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            images = self._open()
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self.path} cannot be read as a .npy file ({error}). Write it with "
                "utils.scaling.write_images."
            ) from error
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise DataError(
                f"{self.path} holds {images.dtype} of shape {images.shape}; wanted are images, "
                "uint8 of shape (n, height, width, 3)."
            )
        self.shape, self.dtype = images.shape, images.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows) -> np.ndarray:
        return np.array(self._open()[rows])

    def _open(self) -> np.ndarray:
        return np.load(self.path, mmap_mode="r", allow_pickle=False)


def write_images(
    path: Path, source: Path | np.ndarray, image_ids: Iterable[str] = (), *, size: int = 28
) -> ImagesOnDisk:
    """Write images into one ``.npy`` file, a block at a time, so that they never all are in memory.

    Parameters
    ----------
    path : Path
        The file to write; it is there whole or not at all.
    source : Path or ndarray of uint8, shape (n, height, width, 3)
        A folder with zips of JPEGs (the official ones, for example), or images in memory.
    image_ids : iterable of str
        Names of the JPEGs without ``.jpg``, in the order wanted. Only for a folder.
    size : int
        Height and width in pixels that the JPEGs are brought to, with PIL's ``BOX`` (area)
        filter as everywhere in the course. Only for a folder.

    Returns
    -------
    ImagesOnDisk

    Raises
    ------
    DataError
        If the folder has no zips, or an image is missing or damaged; the message names it.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if isinstance(source, np.ndarray):
            _fill(temporary, source.shape, lambda row: source[row])
        else:
            ids = list(image_ids)
            with _Photographs(Path(source), size) as photographs:
                _fill(temporary, (len(ids), size, size, 3), lambda row: photographs.read(ids[row]))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return ImagesOnDisk(path)


def _fill(path: Path, shape: tuple[int, ...], image: Callable[[int], np.ndarray]) -> None:
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(map(int, shape))}
        np.lib.format.write_array_header_1_0(file, header)
        for row in range(shape[0]):
            file.write(np.ascontiguousarray(image(row)).tobytes())


class _Photographs:
    """JPEGs in the zips of a folder, by image id, shrunk one at a time."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size, self.archives, self.where = size, [], {}
        for path in sorted(folder.glob("*.zip")):
            archive = zipfile.ZipFile(path)
            self.archives.append(archive)
            for name in archive.namelist():
                if name.lower().endswith((".jpg", ".jpeg")):
                    self.where[PurePosixPath(name).stem] = (archive, name)
        if not self.where:
            raise DataError(
                f"The folder {folder} holds no zip with JPEGs. The official ones do: see "
                "data/README.md for where they come from."
            )

    def __enter__(self) -> _Photographs:
        return self

    def __exit__(self, *_: object) -> None:
        for archive in self.archives:
            archive.close()

    def read(self, image_id: str) -> np.ndarray:
        from PIL import Image

        if image_id not in self.where:
            raise DataError(f"The image {image_id} is in none of the {len(self.archives)} zips.")
        archive, name = self.where[image_id]
        try:
            with archive.open(name) as file, Image.open(file) as image:
                small = image.convert("RGB").resize((self.size,) * 2, Image.Resampling.BOX)
        except DAMAGE as error:
            raise DataError(
                f"{archive.filename}, {name} cannot be decoded ({error}). The file is damaged: "
                "download it again (see data/README.md)."
            ) from error
        return np.asarray(small)


# --- Jobs ----------------------------------------------------------------------------------------


def worker_settings(compiled: str, *, phantom: bool = False) -> dict[str, str]:
    """Return the environment variables of workers that share one computer.

    Parameters
    ----------
    compiled : str
        Folder in which they keep what JAX has compiled, so that each program is compiled once.
    phantom : bool
        Let them load the phantom, so that they need not try a download each.

    Returns
    -------
    dict
        For the argument ``env`` of ``dask.distributed.LocalCluster``: one thread for each, no log.
    """
    settings = {
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        "JAX_COMPILATION_CACHE_DIR": compiled,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return settings | ({"HAM10000_DIR": "phantom"} if phantom else {})


def as_they_finish(
    job: Callable[..., object], arguments: Iterable[tuple[Hashable, ...]]
) -> Iterator[tuple[tuple, object]]:
    """Run independent jobs on the Dask cluster of the client at hand; yield each when it is done.

    Parameters
    ----------
    job : function
        Its answer must depend on its arguments alone, seed included: if a worker is lost, Dask
        runs the jobs that were on it again elsewhere.
    arguments : iterable of tuple
        Those of each job; no two alike.

    Yields
    ------
    (tuple, object)
        A job's arguments and its answer, in the order in which they become ready.

    Raises
    ------
    ValueError
        If two jobs have the same arguments.
    """
    import joblib

    todo = list(arguments)
    if len(set(todo)) < len(todo):
        twice = next(one for one in todo if todo.count(one) > 1)
        raise ValueError(f"two jobs have the arguments {twice}: their answers could not be told")
    with joblib.parallel_config(backend="dask"):
        jobs = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        yield from jobs(joblib.delayed(_with_arguments)(job, one) for one in todo)


def _with_arguments(job, arguments):
    return arguments, job(*arguments)


def kill_busy_worker(client) -> int:
    """End the process of a worker that has jobs, without a warning, as a power cut would.

    Parameters
    ----------
    client : distributed.Client
        Of a cluster on this computer.

    Returns
    -------
    int
        How many jobs the worker had at that moment; 0 if none was busy and so none was killed.
    """
    import psutil

    processes = client.run(os.getpid)
    busy = {worker: len(jobs) for worker, jobs in client.processing().items() if jobs}
    if not busy:
        return 0
    worker = max(busy, key=busy.get)
    psutil.Process(processes[worker]).kill()
    return busy[worker]


def draw_weights(network, seed: int) -> None:
    """Draw the weights of a network anew, from this seed and nothing else.

    Keras draws the seeds of its layers from Python's one `random` generator. In the process of a
    Dask worker other threads draw from it too, so that ``keras.utils.set_random_seed`` does not
    fix them there, and a job would not be repeatable.

    Parameters
    ----------
    network : keras.Model
        Changed in place: every kernel by its layer's own initializer, every dropout's generator.
    seed : int
    """
    seeds = np.random.default_rng(seed).integers(2**31, size=len(network.layers)).tolist()
    for layer, own in zip(network.layers, seeds, strict=True):
        if hasattr(layer, "kernel"):
            initializer = layer.kernel_initializer
            initializer = type(initializer).from_config(initializer.get_config() | {"seed": own})
            layer.kernel.assign(initializer(layer.kernel.shape))
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([own, 0])
