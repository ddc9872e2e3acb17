"""Two people's states in; who has the floor, what the listener does, and what chance would give.

Streaming: `turns` (who speaks when), `features` and `modes` (mirroring, regulating, disengaged).
On whole sessions: `null` (the labels with a wrong partner), `synchrony` (do two series move
together), `settling` (does the partner come down).
"""
