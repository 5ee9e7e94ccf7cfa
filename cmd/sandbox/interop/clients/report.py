"""What a client's script prints for the test that runs it, and for docs/interop.md."""

from importlib.metadata import version


def client(distribution):
    print(f"version: {distribution} {version(distribution)}", flush=True)


def did(sentence):
    print(f"did: {sentence}", flush=True)


def expect(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def causes(error):
    """Gives what is inside the groups that concurrent tasks wrap their errors in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error
        if error.__cause__ is not None:
            yield from causes(error.__cause__)


def expect_refused(error):
    """Holds a failed connection to the gateway's refusal, not to some other trouble."""
    texts = [f"{type(cause).__name__}: {cause}" for cause in causes(error)]
    if not any("403" in text or "Insufficient permissions" in text for text in texts):
        raise AssertionError(f"not the gateway's refusal: {texts}") from error
