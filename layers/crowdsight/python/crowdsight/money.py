"""Money is whole cents. The one place that reckons the workplace's fee and writes cents as dollars."""

FEE_SURCHARGE_FROM_ASSIGNMENTS = 10
FEE_SURCHARGE_PERCENT = 20


def fee_cents(reward_cents: int, fee_percent: int, max_assignments: int) -> int:
    """The workplace's fee for one assignment: a percentage of the reward, half a cent rounded up, at least one cent.

    As MTurk's price list: a HIT with ten assignments or more costs another 20 % of the reward. Nothing at 0 %.
    """
    if fee_percent == 0:
        return 0
    surcharge = FEE_SURCHARGE_PERCENT if max_assignments >= FEE_SURCHARGE_FROM_ASSIGNMENTS else 0
    return max(1, (reward_cents * (fee_percent + surcharge) + 50) // 100)


def wire_dollars(cents: int) -> str:
    """Cents as the MTurk API writes them: 123456 is 1234.56."""
    return f"{cents // 100}.{cents % 100:02}"


def shown_dollars(cents: int) -> str:
    """Cents as people read them: 123456 is $1,234.56, and less than nothing has a minus before it."""
    dollars, rest = divmod(abs(cents), 100)
    return f"{'−' if cents < 0 else ''}${dollars:,}.{rest:02}"
