"""Two people's states in; who has the floor, what the listener does, and what chance would give.

Streaming: `turns` (who speaks when), `features` and `modes` (mirroring, regulating, disengaged).
On whole sessions: `null` (the labels with a wrong partner), `synchrony` (do two series move
together), `entrainment` (does a voice follow from turn to turn), `floor` (answers, overlaps, space
given), `settling` (does the partner come down); `chance` is how each stands beside its null.
"""
