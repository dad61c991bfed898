"""Accounts of callers: their keys, their allowance of searches, their balance, and the ledger of its cents."""
