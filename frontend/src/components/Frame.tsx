import { useCallback, useEffect, useState, type ReactNode } from "react";
import { useLocation } from "wouter";
import { Icon } from "@/components/Icon";
import { Sidebar } from "@/components/Sidebar";
import { SignInDialog } from "@/components/SignInDialog";
import { useSession } from "@/hooks/session";

interface Props {
  threadId?: string | undefined;
  title: string;
  tools?: ReactNode;
  children: ReactNode;
}

/** The page around every page: the list at its side, which a narrow screen shows on demand, and a head. */
export function Frame({ threadId, title, tools, children }: Props) {
  const { signedOut } = useSession();
  const [location] = useLocation();
  const [listedAt, setListedAt] = useState<string>(); // opening another page closes the list
  const listed = listedAt === location;
  const close = useCallback(() => setListedAt(undefined), []);

  useEffect(() => {
    if (!listed) return;
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && close();
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [listed, close]);

  return (
    <div className={listed ? "frame listed" : "frame"}>
      <Sidebar threadId={threadId} close={close} />
      <button type="button" className="veil" aria-label="Close the list" tabIndex={-1} onClick={close} />
      <main inert={listed}>
        <header className="head">
          <button
            type="button"
            className="icon-button only-narrow"
            aria-label="Open the list"
            aria-expanded={listed}
            onClick={() => setListedAt(location)}
          >
            <Icon name="menu" />
          </button>
          <h1>{title}</h1>
          {tools}
        </header>
        {children}
      </main>
      {signedOut && <SignInDialog />}
    </div>
  );
}
