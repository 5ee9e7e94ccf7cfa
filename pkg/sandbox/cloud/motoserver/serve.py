"""Runs moto's server: serve.py ACCOUNT_ID... -- MOTO_ARGUMENT...

Organizations gives out account ids at random. Here the first ones that it gives
out are those named, so that well-known accounts can be members.

DynamoDB's transactions are serializable, but moto undoes one that fails by putting
back what all tables held before it, and so loses what others wrote meanwhile. Here
calls to DynamoDB are served one at a time, and so are those that read its streams: what
is undone was never there.

What is below /_sandbox/ is for the process that started this alone.
"""

import sys
from threading import Lock

import aws
import buckets
import cloudformation
import delegation
import deployed
import functions
import logpolicies
import queries
import rules
import streams
import transactions
from moto import server
from moto.organizations import utils

end = sys.argv.index("--")
planned = iter(sys.argv[1:end])
at_random = utils.make_random_account_id
utils.make_random_account_id = lambda: next(planned, None) or at_random()

buckets.install()
cloudformation.install()
delegation.install()
functions.install()
logpolicies.install()
queries.install()
rules.install()
streams.install()
transactions.install()

one_at_a_time = Lock()
run = server.run_simple


def run_simple(host, port, app, **options):
    def serve(environ, start_response):
        aws.endpoint.set(f"http://{host}:{environ['SERVER_PORT']}")
        aws.host.set(environ["HTTP_HOST"])
        credentials = environ.get("HTTP_X_SANDBOX_CREDENTIALS")
        aws.caller.set(credentials.split() if credentials else None)
        if environ.get("PATH_INFO", "").startswith(deployed.BELOW):
            return deployed.serve(environ, start_response)
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith(("DynamoDB_", "DynamoDBStreams_")):
            return app(environ, start_response)
        with one_at_a_time:
            return app(environ, start_response)

    run(host, port, serve, **options)


server.run_simple = run_simple
server.main(sys.argv[end + 1 :])
