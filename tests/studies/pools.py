"""What tests of studies share: a pool that does in this process what its processes would."""

from __future__ import annotations

import concurrent.futures


class DirectPool:
    """Does each unit of work at once; every worker begins, as far as there are so many units."""

    def __init__(self, workers=1, context=None, initializer=None, initargs=()):
        del context
        for _ in range(workers if initializer else 0):
            initializer(*initargs)

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        return None

    def shutdown(self, cancel_futures):
        assert cancel_futures

    def submit(self, function, *arguments):
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*arguments))
        except RuntimeError as error:
            future.set_exception(error)
        return future
