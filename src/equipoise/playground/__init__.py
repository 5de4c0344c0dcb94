"""The playground: games on the plane, played with the real step and shown as they happen.

A game (`toy_game`) makes steps with `game.train_step` and looks at itself: fields on the plane (`fields`), measurements
of V (`measure`), one iteration box by box (`walk`). A session plays it in a thread of its own, a recording stores what
was shown, and both send the same frames to the same drawing code.
"""
