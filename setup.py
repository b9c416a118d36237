"""What `pyproject.toml` can't say: the inner loops in C++, without which everything works, only slower."""

from pathlib import Path

from setuptools import Extension, setup

CPP = "src/rnnscope/native/cpp"
# GCC 12 takes the undefined halves in its own headers for a mistake of ours, and what a vector is returned in for something that
# others call.
OPTIONS = ["-O3", "-std=c++17", "-Wno-maybe-uninitialized", "-Wno-psabi"]

setup(
    ext_modules=[
        Extension(
            f"rnnscope.native._{name}",
            [f"{CPP}/{name}.cpp"],
            depends=[str(path) for path in Path(CPP, name).glob("*.h")],
            language="c++",
            extra_compile_args=OPTIONS,
            optional=True,
        )
        for name in ("histograms", "recurrent")
    ]
)
