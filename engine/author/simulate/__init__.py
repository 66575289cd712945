"""The page's own vendor, simulated on loopback: `Simulator` implements the protocol of core/vendor.

`shape` turns the page's paths into the form of a record, `facts` says what is known of each value, `make` fills
records in, `world` makes all of them in the order of their relations, `judge` holds them against the page's rules,
`routes` finds the records that a request asks for, `serve` answers over HTTP.
"""

from engine.author.simulate.simulator import Simulator

__all__ = ["Simulator"]
