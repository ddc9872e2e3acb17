"""The live page: a small server on this machine, and the page that it serves.

``wire`` checks what goes over the page's socket; ``app`` lets pages in, tells them what is on the
board and hands their wishes to whoever runs the session. Nothing here senses anything, and nothing
here is ever waited for by what does.
"""

from cuesense.web.app import serve

__all__ = ["serve"]
