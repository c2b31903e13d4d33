import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { onSignedOut } from "@/api/http";
import { readMe, signIn, type Me } from "@/api/session";
import { forgetDrafts } from "@/hooks/useDraft";

interface Session {
  /** Who is signed in; null where the server does not tell, undefined before it did. */
  me: Me | null | undefined;
  /** Whether the server refused a request because nobody is signed in. */
  signedOut: boolean;
  /** How often somebody signed in since the page was opened: what waits for it looks at this. */
  signIns: number;
  signIn: (credential: string) => Promise<void>;
}

const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = use(SessionContext);
  if (!session) throw new Error("useSession is used within a SessionProvider");
  return session;
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [signedOut, setSignedOut] = useState(false);
  const [signIns, setSignIns] = useState(0);
  const { data: me } = useQuery({ queryKey: ["me"], queryFn: ({ signal }) => readMe(signal), staleTime: 30_000 });

  useEffect(() => onSignedOut(() => setSignedOut(true)), []);

  const enter = useCallback(
    async (credential: string) => {
      const before = queries.getQueryData<Me | null>(["me"]);
      const now = await signIn(credential);
      if (before && !samePerson(before, now)) {
        forgetDrafts(); // nothing of another person stays on the page
        return location.assign("/");
      }
      setSignedOut(false);
      setSignIns((count) => count + 1);
      await queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "messages" });
    },
    [queries],
  );

  const session = useMemo(() => ({ me, signedOut, signIns, signIn: enter }), [me, signedOut, signIns, enter]);
  return <SessionContext value={session}>{children}</SessionContext>;
}

const samePerson = (one: Me, other: Me) => one.tenant_id === other.tenant_id && one.user_id === other.user_id;
