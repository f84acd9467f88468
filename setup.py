"""Packaging of sqsjkr-gevent. docs/dependencies.md says why each dependency is needed."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def version() -> str:
    """The version, read as text: an import would need dependencies that are not installed yet."""
    text = (HERE / "sqsjkr_gevent" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if not found:
        raise SystemExit('setup.py: sqsjkr_gevent/__init__.py has no line __version__ = "..."')
    return found.group(1)


def long_description() -> str:
    """The README, or an empty text if it is missing."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="sqsjkr-gevent",
    version=version(),
    description="A job queue worker for Amazon SQS on gevent, compatible with kayac/sqsjkr",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license="MIT",
    author="sqsjkr-gevent contributors",
    keywords="sqs aws gevent job queue worker dynamodb lock",
    packages=find_packages(include=["sqsjkr_gevent", "sqsjkr_gevent.*"]),
    package_data={
        "sqsjkr_gevent": ["py.typed"],
        "sqsjkr_gevent.config": ["sample.toml"],
        "sqsjkr_gevent.fleet": ["gunicorn.conf.py"],
        "sqsjkr_gevent.web": ["templates/*", "static/*", "static/*/*"],
    },
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "gevent>=25.4.1",
        "botocore>=1.40",
        "geventhttpclient>=2.6; python_version >= '3.11'",
        "gunicorn[gevent]>=23",
        "flask>=3",
        "toml>=0.10.2",
        "click>=8.1",
        "structlog>=24",
        "rich>=13",
        "prometheus_client>=0.21",
    ],
    extras_require={
        "local": [
            "moto>=5",
            "flask-cors>=4",
            "py-partiql-parser>=0.6",
        ],
        "redis": ["redis>=5.0.7"],
        "test": [
            "pytest>=9",
            "hypothesis>=6.100",
            "redis>=5.0.7",
            "psutil>=5.9",
            "boto3>=1.40",
            "cryptography>=42",
            "selenium>=4.20",
            "jsonschema>=4.20",
            "pyyaml>=6",
            "tox>=4.20",
            # A new release of these three can bring new complaints, so each upgrade is a commit.
            "ruff>=0.17,<0.18",
            "mypy>=2.4,<2.5",
            "import-linter>=2.15,<3",
            "boto3-stubs>=1.40",
            "types-psutil>=5.9",
            "types-gevent>=25.4",
            "types-toml>=0.10",
        ],
    },
    entry_points={"console_scripts": ["sqsjkr-gevent = sqsjkr_gevent.__main__:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Distributed Computing",
        "Typing :: Typed",
    ],
)
