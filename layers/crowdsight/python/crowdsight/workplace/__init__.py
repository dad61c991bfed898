"""Where HITs are offered, done and paid: MTurk's Requester protocol on one side, the worker site on the other."""
