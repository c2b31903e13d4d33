import { isValidElement, useRef, type ReactNode } from "react";
import { CopyButton } from "@/components/CopyButton";

/** Code as it was written, with its language and a button that copies it. */
export function CodeBlock({ children }: { children: ReactNode }) {
  const code = useRef<HTMLPreElement>(null);
  const language = languageOf(children);
  return (
    <div className="code">
      <div className="code-head">
        <span>{language}</span>
        <CopyButton text={() => code.current?.textContent ?? ""} />
      </div>
      <pre ref={code} tabIndex={0} role="group" aria-label={language ? `Code: ${language}` : "Code"}>
        {children}
      </pre>
    </div>
  );
}

function languageOf(children: ReactNode): string {
  if (!isValidElement<{ className?: string }>(children)) return "";
  return /language-([\w+#-]+)/.exec(children.props.className ?? "")?.[1] ?? "";
}
