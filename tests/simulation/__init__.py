"""Runs real kickers, several in one process, over simulated time, services and processes.

`scripts/simulate` is the way in; docs/proof/simulation.md says what is simulated and what is real.
"""
