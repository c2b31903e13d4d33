import { memo, useMemo, type ComponentProps } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remend from "remend";
import { blocksOf } from "@/chat/blocks";
import { CodeBlock } from "@/components/CodeBlock";
import { extensions } from "@/components/extensions";
import { useCalm } from "@/hooks/useCalm";

const PLUGINS = [extensions];
const LONG_BLOCK = 4000; // characters of one block from which on it is parsed less often
const CALM_MS = 250;

/** Markdown that may still be coming: finished blocks are parsed once, the last one is made whole for display. */
export const Markdown = memo(function Markdown({ text, streaming }: { text: string; streaming: boolean }) {
  const blocks = useMemo(() => blocksOf(text), [text]);
  const last = blocks.at(-1) ?? "";
  const shown = useCalm(last, blocks.length, streaming && last.length > LONG_BLOCK ? CALM_MS : 0);
  return (
    <div className="markdown">
      {blocks.slice(0, -1).map((block, place) => (
        <Block key={place} text={block} />
      ))}
      {last && <Block key={blocks.length - 1} text={streaming ? remend(shown, { linkMode: "text-only" }) : last} />}
    </div>
  );
});

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
    <div className="table-frame" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
};

function Outside({ href, children }: ComponentProps<"a">) {
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}
