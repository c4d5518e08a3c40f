"""Rule tests: what operators expect of their rules, played through in virtual time.

Everything that decides is the daemon itself: the rules as they are loaded, the engine, the actions and
checks, the store's SQL. Only time and the world are made up, by the time line of each test.
"""
