import { useState } from "react";
import { Frame } from "@/components/Frame";
import { RunnablePicker } from "@/components/RunnablePicker";
import { Bars } from "@/components/Bars";
import { useRace } from "@/hooks/useRace";
import { isAskedByText, useRunnableChoice } from "@/hooks/useRunnables";

const PROMPT = "Explain in a few sentences what a bond is.";

/** One prompt over every transport, one after the other, with what each of them took. */
export default function TransportsPage() {
  const { runnable, items, choose } = useRunnableChoice(undefined, isAskedByText);
  const [prompt, setPrompt] = useState(PROMPT);
  const { laps, running, start, stop } = useRace();
  return (
    <Frame title="Transports" tools={<RunnablePicker items={items} chosen={runnable} choose={choose} />}>
      <div className="scroll">
        <div className="column transports">
          <p className="lead">
            The same question over every way to ask it, one after the other, each in a conversation of its own that is
            deleted afterwards.
          </p>
          <form
            className="race-form"
            onSubmit={(event) => {
              event.preventDefault();
              if (runnable) void start(prompt, runnable);
            }}
          >
            <input
              value={prompt}
              aria-label="Question"
              maxLength={2000}
              required
              onChange={(event) => setPrompt(event.target.value)}
            />
            {running ? (
              <button type="button" onClick={stop}>
                Stop
              </button>
            ) : (
              <button type="submit" className="primary" disabled={!runnable || !prompt.trim()}>
                Compare
              </button>
            )}
          </form>
          <Bars laps={laps} />
        </div>
      </div>
    </Frame>
  );
}
