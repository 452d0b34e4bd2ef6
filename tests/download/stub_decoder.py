"""A decoder that does what it is told: `python stub_decoder.py FOLDER`, in place of the real one's module.

A file that begins with `crash`, `leave`, `hang`, `slow`, `bloat`, `shout` or `once NAME` does that; all
others are decoded as usual.
"""

import os
import signal
import sys
import time
from pathlib import Path

from curation.download import decoder
from curation.download.image import process


def obey(data, options, boxes=()):
    word, _, rest = data.partition(b" ")
    if word == b"crash":
        with (Path(sys.argv[1]) / "crashes").open("a") as crashes:
            crashes.write("x")
        os.kill(os.getpid(), signal.SIGSEGV)
    elif word == b"leave":
        os._exit(0)
    elif word == b"hang":
        time.sleep(1000)
    elif word == b"slow":
        time.sleep(0.3)
    elif word == b"bloat":
        bytearray(1 << 40)
    elif word == b"shout":
        sys.stdout.write("noise")
        sys.stdout.flush()
        os.write(1, b"noise" * 1000)
        os.write(2, b"noise" * 1000)
    elif word == b"once":
        name, _, rest = rest.partition(b" ")
        mark = Path(sys.argv[1]) / name.decode()
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return process(rest if word.isalpha() else data, options, boxes)


if __name__ == "__main__":
    decoder.process = obey
    decoder.main()
