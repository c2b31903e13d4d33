import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { Problem } from "@/api/problem";
import { AskBox } from "@/components/AskBox";
import { Frame } from "@/components/Frame";
import { useAttachments } from "@/hooks/useAttachments";
import { useDraft } from "@/hooks/useDraft";
import { handOver, type Asked } from "@/hooks/handover";
import { useRunnableChoice, useRunnables } from "@/hooks/useRunnables";
import { useSession } from "@/hooks/session";

/** Where a conversation begins: choose who answers, and ask. */
export function NewThreadPage() {
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const { me } = useSession();
  const { isPending, isError } = useRunnables();
  const { runnable, items, choose, model } = useRunnableChoice(undefined);
  const [draft, setDraft] = useDraft("new");
  const attachments = useAttachments(runnable);
  const [trouble, setTrouble] = useState<string>();
  const [beginning, setBeginning] = useState(false);

  const send = async (asked: Asked) => {
    if (!runnable) return;
    setTrouble(undefined);
    setBeginning(true);
    try {
      const threadId = await handOver(queries, runnable.name, asked);
      setDraft("");
      attachments.clear();
      navigate(`/threads/${threadId}`);
    } catch (error) {
      setBeginning(false); // the text stays where it is
      if (!(error instanceof Problem && error.signedOut)) setTrouble(sentenceOf(error));
    }
  };

  return (
    <Frame title="New conversation">
      <div className="scroll centred">
        <div className="column welcome">
          <h2>{me?.name ? `Hello, ${me.name.split(" ")[0]}.` : "Hello."}</h2>
          <p>Who should answer?</p>
          <div className="choices" role="radiogroup" aria-label="Who should answer">
            {items.map(({ name, description }) => (
              <label key={name} className={name === runnable?.name ? "choice chosen" : "choice"}>
                <input
                  type="radio"
                  name="runnable"
                  value={name}
                  checked={name === runnable?.name}
                  onChange={() => choose(name)}
                />
                <strong>{name}</strong>
                <span>{description}</span>
              </label>
            ))}
          </div>
          {isError && <p className="notice trouble">The server could not be reached. Reload to try again.</p>}
          {!isPending && !isError && !items.length && (
            <p className="notice">You may not use any runnable that is served here.</p>
          )}
          {trouble && (
            <p className="notice trouble" role="alert">
              {trouble}
            </p>
          )}
        </div>
      </div>
      <div className="dock">
        <AskBox
          key={runnable?.name}
          runnable={runnable}
          opened
          place="new"
          ask={(input) => void send({ text: "", files: [], input })}
          text={draft}
          change={setDraft}
          send={(text) => void send({ text, files: attachments.drafts.flatMap(({ sent }) => sent ?? []) })}
          stop={() => undefined}
          busy={false}
          ready={!!runnable && !beginning}
          note={model && `${model} answers. It can be wrong.`}
          attachments={attachments}
        />
      </div>
    </Frame>
  );
}

const sentenceOf = (error: unknown) =>
  error instanceof Problem ? error.message : "The server could not be reached. Your text is still here.";
