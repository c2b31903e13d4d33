import { useCallback, useState } from "react";

const PREFIX = "draft:";

/** Returns what was not sent at a place; empty where nothing was begun. */
export const keptDraft = (place: string): string => sessionStorage.getItem(PREFIX + place) ?? "";

/** Keeps what is not sent yet at a place, within the tab; nothing of an empty text. */
export function keepDraft(place: string, text: string): void {
  if (text) sessionStorage.setItem(PREFIX + place, text);
  else sessionStorage.removeItem(PREFIX + place);
}

/** The place of a form's draft beside that of the text. Here, since a page knows of it before it loads a form. */
export const formAt = (place: string): string => `form:${place}`;

/** A text that is not sent yet: it outlives a reload and a detour to the sign-in page, within its tab. */
export function useDraft(place: string): [string, (text: string) => void] {
  const [draft, setDraft] = useState(() => keptDraft(place));
  const change = useCallback(
    (text: string) => {
      setDraft(text);
      keepDraft(place, text);
    },
    [place],
  );
  return [draft, change];
}

/** Forgets what was not sent: another person may come to this tab. */
export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
}
