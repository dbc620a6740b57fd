"""An image process: `python -m transcoder.processes LIMITS`, with requests and replies in pipes."""

import os
import signal
import sys
from typing import Final

import msgspec

from transcoder.errors import TranscoderError
from transcoder.processes import messages, renderer
from transcoder.processes.confinement import confine
from transcoder.rendering import Limits

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2


def main() -> None:
    """Get warm, give up all rights, and render until the worker closes the pipe."""
    limits = msgspec.json.decode(sys.argv[1], type=Limits)
    # Ctrl-C is for the worker, which lets photos finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.dup(_STDOUT)
    # What libraries print must not be taken for a reply.
    os.dup2(_STDERR, _STDOUT)
    nothing = os.open(os.devnull, os.O_RDWR)
    renderer.prepare(limits)
    # An attacker must not write to the worker's log.
    for stream in (_STDOUT, _STDERR):
        os.dup2(nothing, stream)
    messages.send(replies, messages.Ready(confine()))
    while True:
        try:
            request = messages.receive_request(_STDIN)
        except EOFError:
            return
        messages.send(replies, _reply(request, limits))


def _reply(request: messages.Request, limits: Limits) -> messages.Reply:
    try:
        made = renderer.render_in_sandbox(request.content, request.content_type, limits)
    except TranscoderError as error:
        return messages.failed(error)
    return messages.Rendered(made)


if __name__ == "__main__":
    main()
