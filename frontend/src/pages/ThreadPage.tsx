import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import type { Exchange } from "@/chat/exchange";
import { Problem } from "@/api/problem";
import { readThread } from "@/api/threads";
import { Announcer } from "@/components/Announcer";
import { AskBox } from "@/components/AskBox";
import { Frame } from "@/components/Frame";
import { Icon } from "@/components/Icon";
import { MessageList } from "@/components/MessageList";
import { RunnablePicker } from "@/components/RunnablePicker";
import { ApprovalsContext } from "@/hooks/approvals";
import { useThreadApprovals } from "@/hooks/useApprovals";
import { useAttachments } from "@/hooks/useAttachments";
import { useChat } from "@/hooks/useChat";
import { useDraft } from "@/hooks/useDraft";
import { useRunnableChoice } from "@/hooks/useRunnables";
import { useStickyScroll } from "@/hooks/useStickyScroll";
import { NotFoundPage } from "@/pages/NotFoundPage";

/** A conversation. */
export function ThreadPage({ threadId }: { threadId: string }) {
  const thread = useQuery({ queryKey: ["thread", threadId], queryFn: ({ signal }) => readThread(threadId, signal) });
  const { runnable, form, items, choose, model } = useRunnableChoice(thread.data?.runnable);
  const [draft, setDraft] = useDraft(threadId);
  const chat = useChat(threadId, thread.data && runnable, setDraft);
  const approvals = useThreadApprovals(threadId, chat.undecided, chat.resume);
  const attachments = useAttachments(runnable);
  const { frame, content, stuck, toEnd } = useStickyScroll();

  // the same functions in every frame of a stream, so that what they are given to stays as it is
  const { ask, drop } = chat;
  const { fork, show, trouble, working } = chat.branching;
  const branching = useMemo(
    () => ({ fork, show, form, ready: !chat.busy && !working }),
    [fork, show, form, chat.busy, working],
  );
  const { take } = attachments;
  const send = useCallback(
    (text: string) => {
      setDraft("");
      toEnd();
      ask({ text, files: take() });
    },
    [setDraft, toEnd, ask, take],
  );
  const askInput = useCallback(
    (input: unknown, text = "") => {
      toEnd();
      ask({ text, files: [], input });
    },
    [toEnd, ask],
  );
  const again = useCallback(
    ({ key, question, input }: Exchange) => {
      drop(key);
      if (input === undefined) send(question);
      else askInput(input, question);
    },
    [drop, send, askInput],
  );

  const goOn = useCallback(() => send("Continue."), [send]);

  if (isMissing(thread.error) || isMissing(chat.error)) return <NotFoundPage />;

  return (
    <Frame
      threadId={threadId}
      title={thread.data?.title || "New conversation"}
      tools={<RunnablePicker items={items} chosen={runnable} choose={choose} />}
    >
      <div className="scroll" ref={frame} tabIndex={-1}>
        <div className="column" ref={content}>
          {chat.error && <p className="notice trouble">The conversation could not be read. Reload to try again.</p>}
          <ApprovalsContext value={approvals}>
            <MessageList
              threadId={threadId}
              exchanges={chat.exchanges}
              again={again}
              goOn={goOn}
              stop={chat.giveUp}
              branching={branching}
            />
          </ApprovalsContext>
          {trouble && (
            <p className="notice trouble" role="alert">
              {trouble}
            </p>
          )}
        </div>
      </div>
      <div className="dock">
        {!stuck && (
          <button type="button" className="to-end" aria-label="Go to the end" onClick={toEnd}>
            <Icon name="arrow" />
          </button>
        )}
        <AskBox
          key={runnable?.name}
          runnable={runnable}
          opened={false}
          place={threadId}
          ask={askInput}
          text={draft}
          change={setDraft}
          send={send}
          stop={chat.stop}
          busy={chat.busy}
          ready={!chat.loading && !chat.undecided && !!runnable}
          note={noteOf(chat.undecided, model)}
          attachments={attachments}
        />
      </div>
      <Announcer answer={chat.exchanges.at(-1)?.answer} />
    </Frame>
  );
}

const noteOf = (undecided: unknown, model: string | undefined) =>
  undecided ? "The answer waits for a decision." : model && `${model} answers. It can be wrong.`;

const isMissing = (error: unknown) => error instanceof Problem && (error.status === 404 || error.status === 422);
