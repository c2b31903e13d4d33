import { useCallback, useState } from "react";

/** A text that is not sent yet: it outlives a reload and a detour to the sign-in page, within its tab. */
export function useDraft(place: string): [string, (text: string) => void] {
  const key = `draft:${place}`;
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
