import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { Problem } from "@/api/problem";
import { forkThread, listMessages, showBranch, type Edit } from "@/api/threads";
import type { Exchange } from "@/chat/exchange";

/**
 * Asks in place of a question, and shows another branch. `clear` forgets what streamed here: the server's
 * messages then stand alone, and the run of the new question is joined as after a reload.
 */
export function useBranching(threadId: string, clear: () => void) {
  const queries = useQueryClient();
  const [trouble, setTrouble] = useState<string>();
  const [working, setWorking] = useState(false);

  const changed = useCallback(
    async (change: () => Promise<unknown>) => {
      setTrouble(undefined);
      setWorking(true);
      try {
        await change();
        const messages = await listMessages(threadId);
        clear();
        queries.setQueryData(["messages", threadId], messages);
        void queries.invalidateQueries({ queryKey: ["threads"] });
      } catch (error) {
        if (!(error instanceof Problem && error.signedOut)) setTrouble(sentenceOf(error));
      } finally {
        setWorking(false);
      }
    },
    [queries, threadId, clear],
  );

  const fork = useCallback(
    (exchange: Exchange, edit?: Edit) =>
      void changed(async () => forkThread(threadId, await messageOf(threadId, exchange), edit)),
    [changed, threadId],
  );
  const show = useCallback(
    (messageId: string) => void changed(() => showBranch(threadId, messageId)),
    [changed, threadId],
  );
  return { fork, show, trouble, working };
}

/** Returns the id of a question's message. One that was asked here is known by its run alone. */
async function messageOf(threadId: string, { messageId, answer }: Exchange): Promise<string> {
  if (messageId) return messageId;
  const asked = (await listMessages(threadId)).find(({ role, run_id }) => role === "human" && run_id === answer.runId);
  if (!asked) throw new Error("no such message");
  return asked.id;
}

const sentenceOf = (error: unknown) =>
  error instanceof Problem ? error.message : "The server could not be reached. Try again.";
