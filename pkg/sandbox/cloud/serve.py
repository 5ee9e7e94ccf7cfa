"""Runs moto's server: serve.py ACCOUNT_ID... -- MOTO_ARGUMENT...

Organizations gives out account ids at random. Here the first ones that it gives
out are those named, so that well-known accounts can be members.
"""

import sys

from moto.organizations import utils
from moto.server import main

end = sys.argv.index("--")
planned = iter(sys.argv[1:end])
at_random = utils.make_random_account_id
utils.make_random_account_id = lambda: next(planned, None) or at_random()
main(sys.argv[end + 1 :])
