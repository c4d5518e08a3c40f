"""Rules held against the past: what they would have done about alerts that are over.

`backtest` takes the alerts from a Prometheus, `replay` from the daemon's own journal. Both run them
through the real engine in virtual time. Where a decision rests on something that the past does not
tell, the result says so, instead of guessing.
"""
