"""`skops:PATH` and `pickle:PATH`, a fitted estimator in a file.

skops reads what it knows to be harmless; whatever else a file holds, and any pickle, wants trust.
"""

from typing import Any

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import NasKDError, UnusableTeacher
from nas_kd.teachers.estimators import is_estimator, of_estimator
from nas_kd.teachers.files import file_of
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind

HARMLESS = ("numpy.dtype",)
"""What skops does not know to be harmless, and is."""


def open_skops(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """A file that skops wrote. Raises UnusableTeacher; without trust also for one that holds more
    than what skops knows to be harmless."""
    file, sha256 = file_of(teacher)
    given = f"teacher {file}"
    try:
        from skops import io
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[skops]'"
        raise UnusableTeacher(given, "needs the package skops", right) from error
    try:
        unknown = [one for one in io.get_untrusted_types(file=file) if one not in HARMLESS]
        if unknown and not teacher.trust:
            right = "If you trust who wrote the file, add --trust (from Python: trust=True)."
            raise UnusableTeacher(given, f"holds what can run code or crash: {few(unknown)}", right)
        found = io.load(file, trusted=[*unknown, *HARMLESS])
    except NasKDError:
        raise
    except Exception as error:  # whatever reading a file of something else ends with
        right = "Save it with skops.io.dump(estimator, FILE), with this version of scikit-learn."
        raise UnusableTeacher(given, f"cannot be read ({error})", right) from error
    return of_file(found, teacher, data, sha256)


def few(names: list[str]) -> str:
    """The first of many names."""
    return ", ".join(names[:3]) + f", and {len(names) - 3} more" * (len(names) > 3)


def open_pickle(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """A pickle or joblib file, which runs code when it is read. Raises UnusableTeacher, always
    without trust."""
    import joblib

    file, sha256 = file_of(teacher)
    given = f"teacher {file}"
    if not teacher.trust:
        wrong = "is a pickle, which can run any code when it is read"
        right = (
            "If you trust who wrote it, add --trust (from Python: trust=True), or give the object "
            "from Python."
        )
        raise UnusableTeacher(given, wrong, right)
    try:
        found = joblib.load(file)
    except Exception as error:  # whatever reading a file of something else ends with
        right = "Save it with joblib.dump(estimator, FILE), with these versions of its packages."
        raise UnusableTeacher(given, f"cannot be read ({error})", right) from error
    return of_file(found, teacher, data, sha256)


def of_file(found: Any, teacher: Teacher, data: TransferSet, sha256: str) -> Answerer:
    """What a file held as a teacher. Raises UnusableTeacher."""
    if not is_estimator(found):
        wrong = f"holds a {type(found).__name__}, which has no predict_proba"
        raise UnusableTeacher(f"teacher {teacher.target!r}", wrong, "Save a fitted classifier.")
    return of_estimator(found, teacher, data, sha256)


SKOPS = TeacherKind(open=open_skops)
PICKLE = TeacherKind(open=open_pickle)
