"""The jobs that fault tests send: what they record is enough for the checker."""

import os
import subprocess

from jobs import Evidence


def start(job: dict, run: str, **options) -> subprocess.Popen:
    """Run a job's command as the run of that name."""
    env = {**os.environ, "SQSJKR_RUN_ID": f"kicker:{run}"}
    return subprocess.Popen(["sh", "-c", job["command"]], env=env, **options)


def kinds(evidence: Evidence) -> list[tuple[str, str]]:
    """What the checker finds."""
    return [(fault.kind, fault.what) for fault in evidence.faults()]


def test_jobs_one_after_the_other_break_nothing(tmp_path):
    """The lock's second holder begins once the first has ended."""
    evidence = Evidence(tmp_path)
    for number in range(2):
        start(evidence.job(f"j{number}", 0, "L"), str(number)).wait()
    assert [] == kinds(evidence)


def test_two_jobs_of_a_lock_at_a_time_are_an_overlap(tmp_path):
    """As long as they run side by side."""
    evidence = Evidence(tmp_path)
    jobs = [evidence.job(f"j{number}", 0.5, "L") for number in range(2)]
    for process in [start(job, str(number)) for number, job in enumerate(jobs)]:
        process.wait()
    assert [("overlap", "lock L")] == kinds(evidence)


def test_a_killed_run_ends_where_the_next_one_gets_its_file_lock(tmp_path):
    """It records no end itself, and is no overlap with what follows."""
    evidence = Evidence(tmp_path)
    job = evidence.job("j", 0.2, "L")
    slow = job | {"command": job["command"].replace("sleep 0.2", "echo; exec sleep 600")}
    killed = start(slow, "1", stdout=subprocess.PIPE)
    killed.stdout.read(1)
    killed.kill()
    killed.wait()
    start(job, "2").wait()
    assert [] == kinds(evidence)
    assert (2, 1) == (evidence.begun["j"], evidence.done["j"])


def test_a_job_without_effect_is_lost(tmp_path):
    """It was made, so it was to be sent."""
    evidence = Evidence(tmp_path)
    evidence.job("j", 0)
    assert [("lost", "j")] == kinds(evidence)
