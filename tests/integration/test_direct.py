"""Commands that need no shell do the same without one."""

import shutil
from collections import ChainMap
from itertools import product
from pathlib import Path

import gevent.monkey
import pytest

from sqsjkr_gevent.process import Runner, direct
from sqsjkr_gevent.process import programs as programs_module
from sqsjkr_gevent.process import runner as runner_module
from sqsjkr_gevent.process.programs import Programs
from sqsjkr_gevent.process.spawn import SpawnLauncher
from waiting import eventually

#: Filled in: BIN a folder on PATH with some files of the test's own, DIR one with data.
PLAIN = [
    *(
        f"{program} DIR/lines"
        for program in ("cat", "wc", "head", "tail", "sort", "tac", "uniq", "nl", "od")
    ),
    *(f"cut -c{n}-{n + 3} DIR/lines" for n in range(1, 9)),
    *(f"head -n {n} DIR/lines" for n in range(12)),
    *(f"tail -c {n} DIR/lines" for n in range(12)),
    *(f"seq {first} {last}" for first, last in product(range(5), (0, 3, 9))),
    *(f"expr {a} {op} {b}" for a, op, b in product((0, 3, 7), ("+", "-", "/", "%"), (0, 2))),
    *(f"basename {path}" for path in ("/", "a", "a/b", "a/b.c .c", "a//b/")),
    *(f"dirname {path}" for path in ("/", "a", "a/b", "a/b.c", "a//b/")),
    *(f"env -i A={value} env" for value in ("", "1", "x=y", "a:b", "%s", "@", "+-")),
    *(f"printenv {name}" for name in ("A", "B", "PWD", "NONE", "OLDPWD", "PATH", "HOME")),
    *(f"date -u -d @{n}" for n in (0, 1, 86400, 1700000000)),
    *(f"ls {options} DIR" for options in ("", "-a", "-1", "-r", "-1p", "-R")),
    *(f"exits {code}" for code in (0, 1, 2, 77, 126, 127, 128, 255)),
    *(f"dies {number}" for number in (1, 2, 3, 6, 9, 13, 14, 15)),
    *(f"BIN/exits {code}" for code in (0, 5)),
    *(f"  exits\t {code}  " for code in (0, 5)),
    *(f"told {words}" for words in ("", "a", "a b", "-a --b=c", "a,b :c ../d ./e @f +g %h _i")),
    *(f"told {'x' * size}" for size in (100, 10_000, 100_000)),
    *("cat -", "cat /no/such/file", "ls /no/such/folder", "sort -Q", "tr", "BIN/told $"[:-2]),
    *(
        "no-interpreter",
        "BIN/no-interpreter",
        "both",
        "reads",
        "env",
        "BIN/../bin/told x",
        "sleep 0",
        "uname",
        "id -u",
        "stat -c %s DIR/lines",
    ),
    *(
        "mkdir DIR/lines",
        "rmdir DIR",
        "test-x",
        "no-interpreter",
        "BIN/no-interpreter",
        "readlink -f DIR/link",
        "realpath DIR/link",
    ),
]
SHELLS = [
    *(f"echo {text}" for text in ("", "a", "-n a", "-e a", "$A", "'$A'", '"$A"', "${A}x", "a  b")),
    *(
        f"echo {text}"
        for text in ("*", "~", "~root", "a{b,c}", "a;echo b", "a#b", "a #b", "\\$A", "`pwd`")
    ),
    *(
        f"echo {text}"
        for text in ("$((1+2))", "$(pwd)", "a && echo b", "a || echo b", "a | cat", "[a-z]*")
    ),
    *(f"exit {code}" for code in (0, 1, 2, 77, 126, 127, 255, 256)),
    *(f"kill -{number} $$" for number in (1, 2, 9, 15)),
    *(
        f"{builtin}"
        for builtin in ("pwd", "true", "false", ":", "umask", "times | wc -w", "type cd")
    ),
    *(
        f"{keyword} true; do break; done"
        for keyword in ("while", "until false; do break; done; while")
    ),
    *(f"if {command}; then echo y; else echo n; fi" for command in ("true", "false", "exits 3")),
    *(f"case {word} in a*) echo a;; *) echo other;; esac" for word in ("ab", "b")),
    *(f"{name}=1 printenv {name}" for name in ("A", "C")),
    *(f"exits {code}; told after" for code in (0, 1)),
    *(f"! exits {code}" for code in (0, 1)),
    *(
        f"told {quoted}"
        for quoted in ("'a b'", '"a b"', "a\\ b", "''", '"$A"', "$A", "$NONE", "a'b'c")
    ),
    *(
        f"cat {redirection}"
        for redirection in ("<DIR/lines", "<&-", "< /no/such/file", "<<< x", "0<DIR/lines")
    ),
    *(
        f"told x {redirection}"
        for redirection in (">&2", "2>&1", ">/dev/null", ">/no/such/folder/x", ">&-")
    ),
    *(
        "no-such-program",
        "no-such-program a b",
        "BIN/no-such",
        "/",
        "DIR",
        "BIN",
        "./told",
        "told/",
    ),
    *(
        "not-executable",
        "BIN/not-executable",
        "no-first-line",
    ),
    *(
        "BIN/no-first-line a b",
        "garbage",
        "BIN/garbage",
        "empty",
        "BIN/empty",
        "broken-link",
    ),
    *("told a\ntold b", "told a\\\nb", "\ntold a", "told a\n", "# told", "(told a)", "{ told a; }"),
    *(
        "told a & wait",
        "told é",
        "told 日本",
        "A=1",
        "A=1 B=2",
        "=a",
        "a=b=c",
        "exec told a",
        "command told a",
    ),
    *(
        "printf '%s\\n' a b",
        "test -d DIR",
        "[ -d DIR ]",
        "[ -f DIR ]",
        "cd DIR; pwd",
        "set -- a b; told $2",
    ),
    *(
        "read a; echo $?",
        "export C=1; printenv C",
        "unset A; printenv A",
        "alias",
        "f() { told f; }; f",
    ),
    *(
        "trap 'told bye' EXIT; exit 3",
        "eval told a",
        ". /no/such/file",
        "ulimit -n | wc -l",
        "shift; shift",
    ),
    *(
        "if",
        "then",
        "for",
        "done",
        "fi",
        "}",
        ")",
        "&&",
        "||",
        ";",
        "|",
        "'",
        '"',
        "$(",
        "`",
        "&",
        "<",
        ">",
    ),
    *(
        "function f",
        "select x",
        "let 1",
        "source /no/such/file",
        "declare",
        "local x",
    ),
    *(
        "told `told x`",
        "told $(told x) y",
        "told ${A:-b} ${NONE:-c} ${A#x}",
        "told $? $# $0 $*",
        "told $#",
    ),
    *(
        "sleep 0 &",
        "told a;",
        ";told a",
        "told a;;",
        "told a | exits 4",
        "exits 4 | told a",
        "told a |",
    ),
]

PROGRAMS = {
    "exits": '#!/bin/sh\nexit "$1"\n',
    "dies": '#!/bin/sh\nkill -"$1" $$\n',
    "told": '#!/bin/sh\necho "${0##*/}: $#"\nfor a; do echo "<$a>"; done\n',
    "both": "#!/bin/sh\necho out\necho err >&2\necho out again\n",
    "reads": "#!/bin/sh\nwc -c\n",
    "test-x": "#!/usr/bin/env sh\necho by env\n",
    "no-interpreter": "#!/no/such/interpreter\n",
    "no-first-line": 'echo "as a script: $#"\n',
    "garbage": "\x01\x02\x03\n",
    "empty": "",
    "not-executable": "#!/bin/sh\necho never\n",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with bin/ and data/."""
    place = tmp_path_factory.mktemp("direct")
    (place / "bin").mkdir()
    (place / "data").mkdir()
    (place / "data" / "lines").write_text("".join(f"{n} line {n * n}\n" for n in range(10)))
    (place / "data" / "link").symlink_to("lines")
    (place / "bin" / "broken-link").symlink_to("gone")
    for name, text in PROGRAMS.items():
        (place / "bin" / name).write_text(text)
        (place / "bin" / name).chmod(0o755)
    (place / "bin" / "not-executable").chmod(0o644)
    return place


@pytest.fixture(scope="module")
def env(place) -> dict[str, str]:
    """A job's environment."""
    path = f"/no/such/folder:{place / 'bin'}:/usr/bin:/bin"
    return {"PATH": path, "A": "a b", "HOME": str(place), "LC_ALL": "C"}


def variables(end):
    """What `env` says; its order is the shell's own, and bash adds some of its own."""
    lines = end.output.text().splitlines()
    return sorted(line for line in lines if not line.startswith(("_=", "SHLVL=", "OLDPWD")))


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a loaded machine a look takes longer than a job waits for it."""
    monkeypatch.setattr(programs_module, "PATIENCE", 30.0)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_each_way_gives_the_same_status_and_output(place, env, shell, monkeypatch):
    """All commands of both lists, and where a command is executed directly it really is."""
    if not (path := shutil.which(shell)):
        pytest.skip(f"no {shell} here")
    for module in (direct, runner_module):
        monkeypatch.setattr(module, "SHELL", path)
    launcher = SpawnLauncher()
    runners = [
        Runner(launcher, output_limit=10**6, kill_grace=1, direct=without)
        for without in (True, False)
    ]
    commands = {
        command.replace("BIN", str(place / "bin")).replace("DIR", str(place / "data")): plain
        for plain, some in ((True, PLAIN), (False, SHELLS))
        for command in some
    }
    assert len(commands) >= 300
    programs = Programs()
    differ = []
    for command, plain in commands.items():
        assert plain == (programs.find(command, env) is not None), command
        ends = [runner.start(command, env).wait(timeout=30) for runner in runners]
        told = [
            (end.status, variables(end) if "env" in command else end.output.text()) for end in ends
        ]
        if told[0] != told[1]:
            differ.append((command, told))
    programs.close()
    launcher.close()
    assert [] == differ


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("{bin}", "{bin}/told"),
        ("/no/such/folder:{bin}:/usr/bin", "{bin}/told"),
        ("/usr/bin", None),
        ("", None),  # The shell's own default, or the folder that it is in.
        ("{bin}:", "{bin}/told"),
        (":{bin}", None),
        (".:{bin}", None),
        ("{bin}%func", None),
    ],
)
def test_the_jobs_own_path_is_searched(place, path, expected):
    """As far as what it finds does not depend on the shell."""
    programs = Programs()
    found = programs.find("told x", {"PATH": path.format(bin=place / "bin")})
    assert (expected and expected.format(bin=place / "bin")) == (found and found[0])
    assert None is programs.find("told x", {})
    programs.close()


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"A": "1"}, {"A": "1", "PWD": "HERE"}),
        ({"PWD": "HERE"}, {"PWD": "HERE"}),
        ({"PWD": "/"}, {"PWD": "HERE"}),
        ({"PWD": "."}, {"PWD": "HERE"}),
        (ChainMap({"A": "1"}, {"B": "2"}), {"A": "1", "B": "2", "PWD": "HERE"}),
        ({"A.B": "1"}, None),
        ({"BASH_FUNC_ls%%": "() { :; }"}, None),
    ],
)
def test_the_environment_is_what_a_shell_passes_on(env, expected):
    """PWD is set; what is no variable is left out, and so left to the shell."""

    def here(mapping):
        return {name: value.replace("HERE", str(Path.cwd())) for name, value in mapping.items()}

    env = ChainMap(*map(here, env.maps)) if isinstance(env, ChainMap) else here(env)
    programs = Programs()
    found = programs.find("/bin/cat", env)
    assert (expected and here(expected)) == (found and dict(found[2]))
    programs.close()


def test_a_program_that_goes_away_is_told_by_the_shell(place, env, monkeypatch):
    """Between the look and the start of it."""
    launcher = SpawnLauncher()
    runner = Runner(launcher, output_limit=1000, kill_grace=1)
    start = launcher.start

    def start_late(path, *arguments):
        (place / "bin" / "gone").unlink(missing_ok=True)
        return start(path, *arguments)

    monkeypatch.setattr(launcher, "start", start_late)
    gone = place / "bin" / "gone"
    gone.write_text("#!/bin/sh\n")
    gone.chmod(0o755)
    end = gevent.spawn(lambda: runner.start("gone a", env).wait()).get(timeout=30)
    assert (127, "sh: 1: gone: not found\n") == (end.status, end.output.text())
    launcher.close()


def test_a_look_that_does_not_come_back_keeps_neither_the_job_nor_the_hub(env, monkeypatch):
    """A mount whose server has gone: all take the shell until it answers."""
    monkeypatch.setattr(programs_module, "PATIENCE", 0.05)
    is_back = gevent.monkey.get_original("threading", "Event")()

    answered: list[bool] = []

    def hang(word, search):
        answered.append(is_back.wait(60))

    monkeypatch.setattr(programs_module, "program_of", hang)
    programs = Programs()
    looks = [programs.find("told x", env) for _ in range(3)]
    ticked = gevent.spawn(lambda: True)
    assert True is ticked.get(timeout=10)
    assert [None] * 3 == looks
    is_back.set()
    # One look in all, which had not come back when the others took the shell.
    assert [True] == eventually(lambda: answered)
    programs.close()


def test_a_program_on_a_file_system_of_another_host_is_left_to_the_shell(env, monkeypatch):
    """To execute it may take for ever, and a thread that starts processes would hang with it."""
    monkeypatch.setattr(direct, "_kind_of_mount", lambda path: "nfs4")
    programs = Programs()
    assert None is programs.find("cat x", env)
    programs.close()
    monkeypatch.undo()
    assert "proc" == direct._kind_of_mount("/proc/version")


def test_a_command_runs_though_the_working_directory_was_removed(env, tmp_path, monkeypatch):
    """A deploy that tidies up; the shell has its own way with that."""
    here = tmp_path / "release-1"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    launcher = SpawnLauncher()
    runner = Runner(launcher, output_limit=1000, kill_grace=1)
    assert 0 == runner.start("uname", env).wait(timeout=30).status
    launcher.close()
