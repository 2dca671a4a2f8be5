"""The job `summary`: the beginning of a branch that its model's context has no room for."""

from __future__ import annotations

from chat.answering import covered, said_of
from chat.context import Summary, fit_summarised, prompt_budget
from chat.errors import ChatError
from chat.jobs import Result, Run
from chat.storage import Storage, messages, summaries
from chat.storage.records import Job
from chat.summary import summariser
from chat.talk import HISTORY_MESSAGES, FindAnswerer


def make_summaries(storage: Storage, find: FindAnswerer) -> Run:
    """Payload `{"conversation_id", "message_id", "model"}`: the branch that ends at that message,
    for that model, which is also who sums it up.
    """

    async def run(job: Job) -> Result:
        conversation_id = str(job.payload["conversation_id"])
        place = (storage, job.owner, conversation_id)
        try:
            head = str(job.payload["message_id"])
            page = await messages.page(*place, head=head, limit=HISTORY_MESSAGES)
        except ChatError as error:
            if error.code == "not_found":
                return None  # deleted meanwhile
            raise
        answerer = await find(job.owner, str(job.payload["model"]))
        said, places = await said_of(page.messages, storage.files)
        ids = [message.id for message in page.messages]
        before = await summaries.newest(*place, ids)
        known = (
            None if before is None else Summary(before.text, covered(before, page.messages, places))
        )
        _, made = await fit_summarised(
            answerer.instructions,
            said,
            prompt_budget(answerer.context_tokens, answerer.answer_tokens),
            sees_images=answerer.sees_images,
            tools=answerer.tools.tools,
            summary=known,
            summarise=summariser(answerer.llm, answerer.context_tokens),
        )
        if made is None or made == known or not made.text:
            return None
        last = ids[places[made.covers - 1]]
        try:
            await summaries.put(*place, last, made.text)
        except ChatError as error:
            if error.code != "not_found":
                raise
        return {"message_id": last}

    return run
