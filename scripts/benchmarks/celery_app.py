"""The same command as a Celery task on SQS. SQS_PORT has the port; the queue is `celery`."""

import os
import subprocess

from celery import Celery

PORT = os.environ["SQS_PORT"]

app = Celery("bench", broker=f"sqs://x:x@127.0.0.1:{PORT}//")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,  # Deleted once it has run, as with the kicker.
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
    broker_transport_options={
        "region": "us-east-1",
        "is_secure": False,
        "wait_time_seconds": 20,
        "visibility_timeout": 60,
        "predefined_queues": {
            "celery": {
                "url": f"http://127.0.0.1:{PORT}/123456789012/celery",
                "access_key_id": "x",
                "secret_access_key": "x",
            }
        },
    },
)


@app.task(name="run")
def run(command: str) -> None:
    """Run the command."""
    subprocess.run(["sh", "-c", command], check=False, capture_output=True)
