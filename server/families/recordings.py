"""DELETE /api/voice-agent/calls/{id}/recording: the recording of a telephone call goes before its time."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool

from server.gate.call import ApiCall, ApiResult
from server.gate.errors import NotFound, Unavailable
from server.gate.families import Family
from server.gate.models import AnswerModel
from server.gate.registry import Endpoint
from server.phone.recordings import forget_recording, recording_key
from server.storage import Storage, StorageFailed


class DeletedRecording(AnswerModel):
    """The call that has no recording any more."""

    call_id: str


class RecordingDeleted(AnswerModel):
    """A recording that is gone."""

    data: DeletedRecording


class CallRecordings:
    """The endpoint. Recordings themselves are shown with their calls, as URLs that expire."""

    def __init__(self, files: Storage) -> None:
        self._files = files

    def endpoints(self) -> list[Endpoint]:
        """To be registered."""
        return [
            Endpoint(
                family=Family.F2,
                method="DELETE",
                path="/api/voice-agent/calls/{id}/recording",
                summary="Delete the recording of a call",
                description="The file is deleted at once, its URLs open nothing any more, and its bytes no longer "
                "count. The call and its transcript stay.",
                handler=self.delete,
                answers={200: RecordingDeleted},
                limit="delete",
            ),
        ]

    async def delete(self, call: ApiCall[None]) -> ApiResult:
        """Delete it: the file, whatever happens next, before the call forgets it.

        Once more afterwards, for one that is stored meanwhile: whoever stores it looks at the call when it is done.
        """
        call_id, account_id = call.path["id"], call.account.id
        key = recording_key(call_id)
        try:
            await run_in_threadpool(self._files.delete, key, account_id)
            forgotten = await call.database.run(forget_recording, account_id, call_id)
            await run_in_threadpool(self._files.delete, key, account_id)
        except LookupError:
            raise NotFound("There is no telephone call of this id") from None
        except StorageFailed as error:
            raise Unavailable("The recording cannot be deleted at the moment: try again later") from error
        if forgotten is None:
            raise NotFound("This call has no recording, or none yet")
        return ApiResult(RecordingDeleted(data=DeletedRecording(call_id=call_id)))
