import { memo, useMemo, type ComponentProps } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remend from "remend";
import { blocksOf, passagesOf } from "@/chat/blocks";
import { CodeBlock } from "@/components/CodeBlock";
import { extensions } from "@/components/extensions";
import { useCalm } from "@/hooks/useCalm";

const PLUGINS = [extensions];
// a block without end takes longer to parse than a frame has: [characters from which on, milliseconds between]
const CALM = [
  [12_000, 500],
  [4000, 250],
] as const;

interface Props {
  text: string;
  streaming: boolean;
}

/** Markdown that may still be coming: finished blocks are parsed once, the last one is made whole for display. */
export const Markdown = memo(function Markdown({ text, streaming }: Props) {
  const blocks = useMemo(() => blocksOf(text), [text]);
  const last = blocks.at(-1) ?? "";
  const shown = useCalm(last, blocks.length, streaming ? calmFor(last) : 0);
  const whole = streaming ? remend(shown, { linkMode: "text-only" }) : last;
  return (
    <div className="markdown">
      {passagesOf([...blocks.slice(0, -1), whole]).map((passage, place) => (
        <Passage key={place} blocks={passage} />
      ))}
    </div>
  );
});

const calmFor = (block: string): number => CALM.find(([characters]) => block.length > characters)?.[1] ?? 0;

const Passage = memo(
  function Passage({ blocks }: { blocks: string[] }) {
    return (
      <div className="passage">
        {blocks.map((block, place) => (
          <Block key={place} text={block} />
        ))}
      </div>
    );
  },
  (before, now) =>
    before.blocks.length === now.blocks.length && before.blocks.every((block, place) => block === now.blocks[place]),
);

const Block = memo(function Block({ text }: { text: string }) {
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS}>
      {text}
    </ReactMarkdown>
  );
});

const COMPONENTS: Components = {
  a: Outside,
  // an image is a request to wherever the model says; a link is the reader's own choice
  img: ({ src, alt }) => <Outside href={typeof src === "string" ? src : undefined}>{alt || "Image"}</Outside>,
  pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
  table: ({ children }) => (
    <div className="table-frame" tabIndex={0} role="group" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
};

/** A link of the model's. One to this server is shown and not followed: the server knows who opens it. */
function Outside({ href, children }: ComponentProps<"a">) {
  if (!href || isOurs(href)) {
    return (
      <>
        {children} <code>{href}</code>
      </>
    );
  }
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

function isOurs(href: string): boolean {
  try {
    return new URL(href, window.location.href).origin === window.location.origin;
  } catch {
    return true; // what is no address leads nowhere else
  }
}
