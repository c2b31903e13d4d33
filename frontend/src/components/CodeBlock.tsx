import { isValidElement, useRef, type ReactNode } from "react";
import { CopyButton } from "@/components/CopyButton";

/** Code as it was written, with its language and a button that copies it. */
export function CodeBlock({ children }: { children: ReactNode }) {
  const code = useRef<HTMLPreElement>(null);
  return (
    <div className="code">
      <div className="code-head">
        <span>{languageOf(children)}</span>
        <CopyButton text={() => code.current?.textContent ?? ""} />
      </div>
      <pre ref={code} tabIndex={0}>
        {children}
      </pre>
    </div>
  );
}

function languageOf(children: ReactNode): string {
  if (!isValidElement<{ className?: string }>(children)) return "";
  return /language-([\w+#-]+)/.exec(children.props.className ?? "")?.[1] ?? "";
}
