"""What a shell is told when somebody presses the tab key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Where the command itself is.
BIN = Path(sys.executable).parent
ENVIRON = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def completed(words: str, shell: str = "bash") -> list[str]:
    """What click offers for the last word, as the shell's script asks for it."""
    last = words.rpartition(" ")[2]
    position = last if shell == "fish" else str(words.count(" "))
    done = subprocess.run(
        ["sqsjkr-gevent"],
        env=ENVIRON
        | {
            "_SQSJKR_GEVENT_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": position,
        },
        capture_output=True,
        text=True,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sqsjkr-gevent d", ["plain,dlq", "plain,drain"]),
        ("sqsjkr-gevent --prof", ["plain,--profile"]),
        ("sqsjkr-gevent --log-level de", ["plain,debug"]),
        ("sqsjkr-gevent --conf ", ["file,"]),
        ("sqsjkr-gevent -c x locks rel", ["plain,release"]),
        ("sqsjkr-gevent -conf x locks release --f", ["plain,--force"]),
        ("sqsjkr-gevent -stats-port=8061 completion z", ["plain,zsh"]),
        ("sqsjkr-gevent history --outcome er", ["plain,errored"]),
    ],
)
def test_commands_options_and_choices_complete(words: str, expected: list[str]) -> None:
    """Also after sqsjkr's options with one dash."""
    assert expected == completed(words)


def test_zsh_and_fish_get_the_descriptions_as_well() -> None:
    """They show them beside the names."""
    about = "Show the dead-letter queue; send its messages again, or delete them."
    assert ["plain", "dlq", about] == completed("sqsjkr-gevent dl", "zsh")
    assert any("dlq" in line and about in line for line in completed("sqsjkr-gevent dl", "fish"))


def test_bash_takes_the_script_and_completes_by_it() -> None:
    """As the line in ~/.bashrc has it do."""
    script = """
        eval "$(sqsjkr-gevent completion bash)" || exit
        COMP_WORDS=(sqsjkr-gevent locks rel) COMP_CWORD=2
        _sqsjkr_gevent_completion sqsjkr-gevent rel locks
        echo "${COMPREPLY[*]}"
    """
    done = subprocess.run(
        ["bash", "-c", script], env=ENVIRON, capture_output=True, text=True, timeout=60
    )
    assert ("release\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_name_the_command_and_the_variable(shell: str) -> None:
    """However the command was called."""
    command = [sys.executable, "-m", "sqsjkr_gevent", "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    assert f"_SQSJKR_GEVENT_COMPLETE={shell}_complete" in done.stdout
    assert " sqsjkr-gevent" in done.stdout


def test_another_shell_is_refused_with_those_there_are() -> None:
    """On one line, and the exit code is 2."""
    done = subprocess.run(
        ["sqsjkr-gevent", "completion", "tcsh"], env=ENVIRON, capture_output=True, text=True
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert "'fish'" in done.stderr
