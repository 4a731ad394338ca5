"""What a user can mend. Every message says what was given, what is wrong and what would be right.

    NasKDError
        UnknownName         a name that is in no registry
        InvalidSpec         every problem of a spec at once
        BudgetTooSmall      no family has a student this small
        CountsDisagree      a family's closed form is not what its network counts
        Unusable            given, wrong, right
            UnusableBudget
            UnusableData
            UnusableTeacher
            UnusableStudy
            UnusablePackage
        Unwritable
        ServerLost          a server that keeps trials does not answer, or has no room
        DataNotHere         an array that a job names is not on this host
        StudyLocked         another driver holds the study
        SpecDiffers         the folder's study was made with another spec
        WorkFailed          the environment failed a job too often
            WorkerDied
            WorkerOverdue

Errors cross process borders, so each hands every argument to `Exception` and words itself in
`__str__`: then it survives pickling.
"""

from difflib import get_close_matches


class NasKDError(Exception):
    """Base of what a user can mend: one message, exit code 2, no traceback."""


def alike(name: str, known: tuple[str, ...]) -> str | None:
    """The known name that is the same but for the size of its letters, or else close to it."""
    same = [one for one in known if one.lower() == name.lower()]
    return next(iter([*same, *get_close_matches(name, known, n=1)]), None)


def suggestion(name: str, known: tuple[str, ...]) -> str:
    """' Did you mean ...?' where a known name is close to `name`, else ''."""
    close = alike(name, known)
    return f" Did you mean {close!r}?" if close else ""


class UnknownName(NasKDError, LookupError):
    """A name that is in no registry."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(kind, name, known)
        self.kind, self.name, self.known = kind, name, known

    def __str__(self) -> str:
        known = ", ".join(sorted(self.known))
        hint = suggestion(self.name, self.known)
        return f"No {self.kind} is called {self.name!r}.{hint} Known: {known}."


class InvalidSpec(NasKDError, ValueError):
    """Every problem of a spec, a line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        count = "one problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return f"The spec has {count}:\n{lines}\nSee the settings: nas-kd settings"


class BudgetTooSmall(NasKDError, ValueError):
    """No family has a student within the budgets; names the smallest of each."""

    def __init__(self, budgets: str, smallest: tuple[tuple[str, str], ...]) -> None:
        super().__init__(budgets, smallest)
        self.budgets, self.smallest = budgets, smallest

    def __str__(self) -> str:
        least = "; ".join(f"{family} {cost}" for family, cost in self.smallest)
        return (
            f"No student fits {self.budgets}. The smallest of each family: {least}. "
            "Raise the budget, or see what fits: nas-kd space --budget BUDGET"
        )


class CountsDisagree(NasKDError, ValueError):
    """A family's closed-form counts differ from its network's, so no budget could be trusted."""

    def __init__(self, family: str, config: str, closed: str, built: str) -> None:
        super().__init__(family, config, closed, built)
        self.family, self.config, self.closed, self.built = family, config, closed, built

    def __str__(self) -> str:
        return (
            f"Family {self.family!r} counts {self.closed} for {self.config}, but the network it "
            f"builds has {self.built}. Mend the family's `counts` or its `build`."
        )


class Unusable(NasKDError):
    """What was given, what is wrong with it, what would be right."""

    def __init__(self, given: str, wrong: str, right: str) -> None:
        super().__init__(given, wrong, right)
        self.given, self.wrong, self.right = given, wrong, right

    def __str__(self) -> str:
        return f"{self.given}: {self.wrong}. {self.right}"


class UnusableBudget(Unusable, ValueError):
    """A budget that cannot be read."""


class UnusableData(Unusable):
    """Data that are absent or of the wrong form."""


class UnusableTeacher(Unusable):
    """A teacher that cannot be loaded, or that knows nothing of the data."""


class UnusableStudy(Unusable):
    """A study folder that is absent, empty or unreadable."""


class UnusablePackage(Unusable):
    """A student package that is absent, incomplete or does not prove itself."""


class Unwritable(Unusable):
    """A file that cannot be written: no space left, or no right to."""


class ServerLost(Unusable):
    """A server that keeps trials does not answer or has no room, or the connection to it was cut:
    what was asked for may have been done or not."""

    def __init__(self, given: str, wrong: str, right: str = "") -> None:
        advice = (
            "Start it, name a database that is there and that you may use, and put the password "
            "into the file that PGPASSFILE names; then run the same again: what is done is kept."
        )
        super().__init__(given, wrong, right or advice)


class DataNotHere(NasKDError):
    """A job names an array that this host does not have."""

    def __init__(self, sha256: str, path: str, host: str) -> None:
        super().__init__(sha256, path, host)
        self.sha256, self.path, self.host = sha256, path, host

    def __str__(self) -> str:
        return (
            f"{self.path} (sha256 {self.sha256[:12]}) is not on {self.host}. Keep the study's "
            "folder and the cache (NAS_KD_CACHE) where every worker can read them."
        )


class StudyLocked(NasKDError):
    """Another driver holds the study's lease."""

    def __init__(self, folder: str, holder: str) -> None:
        super().__init__(folder, holder)
        self.folder, self.holder = folder, holder

    def __str__(self) -> str:
        return (
            f"The study {self.folder} is being searched or confirmed by {self.holder}. One driver "
            "drives a study: wait for it, stop it, or name another study."
        )


class SpecDiffers(NasKDError):
    """The study in the folder was made with another spec; lists the differences."""

    def __init__(self, folder: str, differences: tuple[str, ...], flag: str = "") -> None:
        super().__init__(folder, differences, flag)
        self.folder, self.differences, self.flag = folder, differences, flag

    def __str__(self) -> str:
        lines = "\n".join(f"  {difference}" for difference in self.differences)
        as_it_is = f"Go on with it as it is: nas-kd search --study {self.folder}{self.flag}"
        if any(difference.startswith("data: content") for difference in self.differences):
            as_it_is = "Bring its data back as they were, and the same search goes on"
        return (
            f"The study in {self.folder} was made with another spec:\n{lines}\n{as_it_is}\n"
            f"or start another: say --study {self.folder}-2 beside the rest of what you typed."
        )


class WorkFailed(NasKDError):
    """The environment, not the student, failed a job."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(job, reason)
        self.job, self.reason = job, reason

    def __str__(self) -> str:
        return (
            f"{self.job} was tried several times and failed: {self.reason}. "
            "Everything finished is kept; run the same search again to go on."
        )


class WorkerDied(WorkFailed):
    """A worker process ended in the middle of a job."""


class WorkerOverdue(WorkFailed):
    """A worker process was ended because its job took too long."""

    def __str__(self) -> str:
        return f"{super().__str__()} Give such a job more time: --job-limit 4h."
