"""`pt2:PATH`, a program that torch.export saved: a network without the code that made it."""

from zipfile import is_zipfile

import torch

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.files import file_of
from nas_kd.teachers.networks import of_network
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind


def open_exported(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """The network of a program; it takes a batch of any size if it was exported so.

    Raises UnusableTeacher, always without trust: constants in it may be pickles.
    """
    file, sha256 = file_of(teacher)
    if not teacher.trust:
        wrong = "may hold pickles, which can run any code when it is read"
        right = (
            "If you trust who wrote it, add --trust (from Python: trust=True), or save the network "
            "as ONNX."
        )
        raise UnusableTeacher(f"teacher {file}", wrong, right)
    right = "Save it with torch.export.save(torch.export.export(network, (examples,)), FILE)."
    if not is_zipfile(file):  # torch would print what it tried
        raise UnusableTeacher(f"teacher {file}", "cannot be read (it is no zip archive)", right)
    try:
        network = torch.export.load(file).module()
    except Exception as error:  # whatever reading a file of something else ends with
        raise UnusableTeacher(f"teacher {file}", f"cannot be read ({error})", right) from error
    return of_network(network, teacher, data, device, sha256=sha256)


EXPORTED = TeacherKind(open=open_exported, sees=True)
