"""The one error that is the user's to mend, and the way to ask for a stop."""

from __future__ import annotations


class XsegError(Exception):
    """Something the user can mend, said in one sentence.

    The message names the file or layer, what was found, what was expected and
    what to do. The command line prints it on one line and exits with 2; the
    GUI shows it as a notification. Everything else that is raised is a bug.
    """
