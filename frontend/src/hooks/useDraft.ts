import { useCallback, useState } from "react";

const PREFIX = "draft:";

/** A text that is not sent yet: it outlives a reload and a detour to the sign-in page, within its tab. */
export function useDraft(place: string): [string, (text: string) => void] {
  const key = PREFIX + place;
  const [draft, setDraft] = useState(() => sessionStorage.getItem(key) ?? "");
  const change = useCallback(
    (text: string) => {
      setDraft(text);
      if (text) sessionStorage.setItem(key, text);
      else sessionStorage.removeItem(key);
    },
    [key],
  );
  return [draft, change];
}

/** Forgets what was not sent: another person may come to this tab. */
export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
}
