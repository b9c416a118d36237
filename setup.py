"""What `pyproject.toml` can't say: the inner loops in C++, without which everything works, only slower."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "rnnscope.native._kernels",
            ["src/rnnscope/native/kernels.cpp"],
            language="c++",
            extra_compile_args=["-O3", "-std=c++17"],
            optional=True,
        )
    ]
)
