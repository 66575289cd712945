"""The page's own vendor, simulated on loopback: `Simulator` implements the protocol of core/vendor.

`shape` turns the page's paths into the form of a record, `envelope` into that of the answer around records; `facts`
says what is known of each value, `make` fills records in, `world` makes all of them in the order of their relations,
`judge` holds them against the page's rules. `routes` finds the unit that a request asks for, `serve` answers with its
records, `exports` with its jobs, `replies` makes up what else an answer says, `door` speaks HTTP.
"""

from engine.author.simulate.simulator import Simulator

__all__ = ["Simulator"]
