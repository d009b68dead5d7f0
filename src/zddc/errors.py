"""The one exception for a user's mistake, printed as one line."""

from zddc.addresses import hide_password


class UserError(Exception):
    """A mistake that the user can correct: printed as ``thing: problem; remedy`` with exit status 1.

    ``thing`` names a file, an option or a setting, ``problem`` says what is wrong with it, and ``remedy`` what to do
    next. Addresses are shown without users and passwords.
    """

    def __init__(self, thing: object, problem: str, remedy: str) -> None:
        super().__init__(hide_password(f"{thing}: {problem}; {remedy}"))
        self.thing, self.problem, self.remedy = str(thing), problem, remedy
