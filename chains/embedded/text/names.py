"""Names in a message: ticker symbols and other codes, proper names, quoted words."""

import re
from collections.abc import Collection

QUOTED = re.compile(r"[\"“”]([^\"“”]{1,200})[\"“”]|(?<!\w)['‘]([^'‘’]{1,200})['’](?!\w)")
WORD = re.compile(r"[A-Za-zÀ-ɏ0-9][\w&.'’-]*", re.UNICODE)
CODE = re.compile(r"\^?[A-Z][A-Z0-9]*(?:[.-][A-Z0-9]+)?")

# words that start with a capital or stand where a name could stand, and are none
NO_NAMES = frozenset(
    """a about above after again all also am an and any are as asset assets at be been before being best
    better between both but buy by calculate can check choose company companies compare could day days did
    difference do does doing done each either far few find fine for from fund funds get give go good hello
    help her here hers hey hi him his how i if in into investment investments is it its just know last let
    like list look make many may me mine month months more most much my name names need no not now of off on
    one ones only or other our out over past per percent perform performance performed performing please
    previous price prices quarter see sell shall share shares she should show since so some something stock
    stocks symbol symbols tell than thank thanks that the their them then there these they thing things this
    those through till time to today together tomorrow too two under until up us use versus vs was we week
    weeks well were what when where which who whom whose why will with work worse worst would year years
    yes yesterday you your yours january february march april june july august september october november
    december monday tuesday wednesday thursday friday saturday sunday""".split()
)
