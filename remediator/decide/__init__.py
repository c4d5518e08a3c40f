"""WHETHER to act: pure functions of (snapshot, input, now), which touch neither world nor store.

The live daemon runs them inside one short write transaction; rehearsals run the same ones.
"""
