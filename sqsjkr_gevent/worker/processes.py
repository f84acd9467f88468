"""What starts, watches and ends the processes of a kicker's jobs."""

from collections.abc import Callable

from ..config import KickerSection
from ..process import Guard, Runner, Runs, make_launcher

#: Called with the error of a start, or None.
OnStart = Callable[[Exception | None], None]


class Processes:
    """The launcher, the runners over it, and the guard.

    name: marks all processes of this kicker. silence: see Guard. on_start: called after each start.
    on_output: called with what jobs print, as it comes; what a trigger prints is not the job's.
    """

    def __init__(
        self,
        name: str,
        kicker: KickerSection,
        silence: float,
        on_start: OnStart,
        on_output: Callable[[bytes], None] | None,
    ) -> None:
        self.launcher = make_launcher(kicker.launcher)
        self._runs = Runs(name)
        self.guard = Guard(name, self._runs, silence)

        def runner(on_output: Callable[[bytes], None] | None) -> Runner:
            return Runner(
                self.launcher,
                output_limit=kicker.output_limit,
                kill_grace=kicker.kill_grace,
                runs=self._runs,
                on_start=on_start,
                on_output=on_output,
            )

        self.runner = runner(on_output)
        self.trigger_runner = self.runner if on_output is None else runner(None)

    def refuse_starts(self) -> None:
        """Start no job and no trigger from now on: a start that waits raises Stopping."""
        for one in {self.runner, self.trigger_runner}:
            one.refuse_starts()

    def kill_all(self, reason: str) -> None:
        """Kill the processes of all jobs and triggers."""
        for one in {self.runner, self.trigger_runner}:
            one.kill_all(reason)

    def open(self) -> None:
        """Get ready to start jobs. Raises StartError."""
        self._runs.open()
        self.guard.start()

    def close(self) -> None:
        """Start no more jobs, and end what watches them."""
        self.guard.stop()
        for one in {self.runner, self.trigger_runner}:
            one.close()
        self.launcher.close()
        self._runs.close()
