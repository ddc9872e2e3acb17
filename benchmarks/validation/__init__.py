"""What cuesense measures, measured itself: against truth, and against peers, on real recordings.

``make bench-validation`` runs every part and writes ``docs/validation.md``. A part is a module here
with ``measure(data) -> Part``; `page.PARTS` names them in order.
"""
