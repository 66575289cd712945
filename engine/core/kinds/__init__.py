"""The abstract kinds of parts: what each is asked, and how a word on a page becomes one of them."""

from engine.core.kinds.auth import Auth, Certificate, Moment, Renewal, Token
from engine.core.kinds.decode import Decoder, TooLarge, Undecodable
from engine.core.kinds.output import About, Output
from engine.core.kinds.paginate import Allowed, Cursor, PageSize, Paginator, Served
from engine.core.kinds.part import KINDS, NOUNS, Part, fill, reveal
from engine.core.kinds.rows import Area, Check, Given, Lookup, Reference, Rule, Step, View

__all__ = [
    "KINDS",
    "NOUNS",
    "About",
    "Allowed",
    "Area",
    "Auth",
    "Certificate",
    "Check",
    "Cursor",
    "Decoder",
    "Given",
    "Lookup",
    "Moment",
    "Output",
    "PageSize",
    "Paginator",
    "Part",
    "Reference",
    "Renewal",
    "Rule",
    "Served",
    "Step",
    "Token",
    "TooLarge",
    "Undecodable",
    "View",
    "fill",
    "reveal",
]
