"""The crash test: runs that are killed at every commit point, resumed, and held against a run that nobody touched.

`job` says what a run does and when it dies, `child` does it in a process of its own, `nursery` starts and kills these;
`vendor` is the simulated vendor with its log, `left` what a run left behind, `matrix` all kills of a page.
"""

from engine.author.crash.matrix import Matrix, Report, Settings
from engine.author.crash.vendor import simulated

__all__ = ["Matrix", "Report", "Settings", "simulated"]
