"""TensorBoard's curves of a run that was interrupted."""

from basicsr.models.base_model import BaseModel

from pkdn_basicsr.host import run


def go_on_with_curves() -> None:
    """Wrap what resumes and what saves, so that the curves of a resumed run are those of an undisturbed one.

    BasicSR 1.4.2 (`utils/logger.py:133-137`) opens another file of events and says nothing about the one before: the
    iterations between checkpoint and interruption are drawn twice, with a line that runs back; and a point that was
    still in the writer's queue when the process was killed is missing, even one from before the checkpoint; no issue
    known.
    """
    resume, save = BaseModel.resume_training, BaseModel.save_training_state

    def resume_training(self: BaseModel, resume_state: dict) -> None:
        if run.current.tb_logger:
            _forget_from(resume_state['iter'] + 1)
        resume(self, resume_state)

    def save_training_state(self: BaseModel, epoch: int, current_iter: int) -> None:
        if run.current.tb_logger:
            run.current.tb_logger.flush()  # first: what comes before a checkpoint is not drawn again
        save(self, epoch, current_iter)

    BaseModel.resume_training = resume_training
    BaseModel.save_training_state = save_training_state


def _forget_from(iteration: int) -> None:
    """Let TensorBoard forget what earlier files have of an iteration and later ones, as `purge_step` would."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # there is a writer, so this can be imported

    start = Event(step=iteration, session_log=SessionLog(status=SessionLog.START))
    run.current.tb_logger.file_writer.add_event(start)
