"""From packets to cues: faces, voice, body."""
