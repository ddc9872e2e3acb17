"""From cues to each person's state: grid, whose voice, baseline, roles, affect."""
