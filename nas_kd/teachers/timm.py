"""`timm:NAME`, one of timm's classifiers, with the data's number of classes (extra `timm`)."""

from nas_kd.data.transfer import TransferSet
from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.networks import of_network
from nas_kd.teachers.teacher import Answerer, Teacher, TeacherKind
from nas_kd.teachers.torchvision import expect_known


def open_timm(teacher: Teacher, data: TransferSet, device: str) -> Answerer:
    """One of timm's classifiers with the weights of a file. Raises UnusableTeacher."""
    try:
        import timm
    except ImportError as error:
        right = "Install the extra: pip install 'nas-kd[timm]'"
        given = f"teacher {teacher.target!r}"
        raise UnusableTeacher(given, "needs the package timm", right) from error
    name = teacher.target.partition(":")[2]
    expect_known(teacher, name, timm.list_models(), "timm")
    try:
        network = timm.create_model(name, pretrained=False, num_classes=teacher.classes)
    except Exception as error:  # whatever the making of one of its many networks does
        right = "Name another, or return the network from a function: module:function."
        given = f"teacher {teacher.target!r}"
        raise UnusableTeacher(given, f"cannot be made ({error})", right) from error
    return of_network(network, teacher, data, device, teacher.weights)


TIMM = TeacherKind(open=open_timm, weights=True, sees=True, colour=True)
