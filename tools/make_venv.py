"""Make the virtual environment that the Makefile's targets use.

    python3 tools/make_venv.py VENV EXTRA[,EXTRA..] [--pins FILE]

Any Python may run this file: where it is too old, a newer one is looked for.
Every package comes at the version that constraints.txt names, those that
build the package included. On Debian and Ubuntu missing system packages are
installed where that is allowed, and named where it is not.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11")
BUILD = ("hatchling", "editables")

# What a real napari window needs under Xvfb on a bare Debian or Ubuntu.
GUI_EXTRAS = {"all", "bench", "test-gui"}
GUI_PACKAGES = [
    "xvfb",
    "xauth",
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "libglx-mesa0",
    "libdbus-1-3",
    "libfontconfig1",
    "libglib2.0-0",
    "fonts-dejavu-core",
    "libxkbcommon-x11-0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xkb1",
]


def run(*command: object) -> None:
    """Run `command` to its end; stop with its exit code where it fails."""
    code = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL).returncode
    if code:
        sys.exit(code)


def move_to_newer_python() -> None:
    """Start this file again under Python 3.11 or newer; one sentence where there is none."""
    if sys.version_info >= OLDEST:
        return
    for name in NEWER:
        path = shutil.which(name)
        if path:
            os.execv(path, [path, *sys.argv])
    sys.exit(
        "napari-xseg needs Python 3.11 or newer, and {} is {}.{}: install a newer Python "
        "and name it with `make PYTHON=/path/to/python3.11`.".format(
            sys.executable, *sys.version_info[:2]
        )
    )


def is_missing(package: str) -> bool:
    """Whether dpkg does not know `package` as installed."""
    query = ["dpkg-query", "--show", "--showformat=${Status}", package]
    result = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return b"install ok installed" not in result.stdout


def install_system_packages(*names: str) -> bool:
    """Install what is missing of `names` on Debian or Ubuntu; False where that is not possible."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-query")):
        return False
    missing = [name for name in names if is_missing(name)]
    if not missing:
        return True
    if os.geteuid() != 0:
        print("Missing system packages: sudo apt-get install " + " ".join(missing), flush=True)
        return False
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "update")
    run("apt-get", "install", "--yes", "--no-install-recommends", *missing)
    return True


def make_environment(folder: pathlib.Path) -> pathlib.Path:
    """Make the virtual environment `folder` where it is not there yet; return its Python."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if python.exists():
        return python
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        if not install_system_packages(package):
            sys.exit(f"{sys.executable} cannot make virtual environments: install {package}.")
    run(sys.executable, "-m", "venv", folder)
    return python


def main() -> None:
    """Make the environment and leave one stamp file for this set of extras."""
    move_to_newer_python()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("venv", type=pathlib.Path)
    parser.add_argument("extras", help="extras of pyproject.toml joined by commas, or `base`")
    parser.add_argument("--pins", type=pathlib.Path, default=ROOT / "constraints.txt")
    options = parser.parse_args()
    extras = set(options.extras.split(",")) - {"base"}
    if extras & GUI_EXTRAS:
        install_system_packages(*GUI_PACKAGES)
    python = make_environment(options.venv)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--quiet"]
    pip += ["--constraint", options.pins]
    target = str(ROOT) + ("[{}]".format(",".join(sorted(extras))) if extras else "")
    print(f"Installing {target} into {options.venv}: minutes, the first time.", flush=True)
    run(*pip, *BUILD)
    run(*pip, "--no-build-isolation", "--editable", target)
    (options.venv / f".ready-{options.extras}").touch()


if __name__ == "__main__":
    main()
