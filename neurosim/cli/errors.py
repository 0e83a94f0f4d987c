"""What becomes of an exception on the command line: an exit code and one line."""

from __future__ import annotations

import os
import traceback

from neurosim.checks import Interrupted, NeurosimError


def told(error: BaseException, *, debug: bool = False) -> tuple[int, str]:
    """Exit code, and what stderr is told.

    Parameters
    ----------
    error : BaseException
        What ended the command.
    debug : bool
        Whether its traceback is shown anyway.

    Returns
    -------
    code : int
        1 a bug, 2 bad input, 130 interrupted.
    line : str
        The error's text and notes; it begins with ``error: `` unless it was an interruption.
    """
    match error:
        case Interrupted():
            code, text = 130, str(error)
        case KeyboardInterrupt():
            code, text = 130, "Interrupted by Ctrl-C or a signal."
        case NeurosimError():
            code, text = 2, str(error)
        case _:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
            advice = "" if debug else "; run with --debug for the traceback"
            code = 1
            text = f"{type(error).__name__}: {error} ({place}). This is a bug{advice}."
    line = " ".join(" ".join([text, *getattr(error, "__notes__", [])]).split())
    return code, line if code == 130 else f"error: {line}"
