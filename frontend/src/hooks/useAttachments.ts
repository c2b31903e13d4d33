import type { Runnable } from "@/api/events";
import { useCallback, useMemo, useRef, useState } from "react";
import { discard, MOST_FILES, upload, UPLOAD_SCOPE, type Attached } from "@/api/attachments";
import { identifier } from "@/api/identifier";
import { Problem } from "@/api/problem";
import { useSession } from "@/hooks/session";

/** A file beside what a person writes. `sent` is there once the server has it, `trouble` when it does not take it. */
export interface Draft {
  key: string;
  name: string;
  size: number;
  sent?: Attached;
  trouble?: string;
}

export interface Attachments {
  /** Whether the caller may attach at all. */
  allowed: boolean;
  drafts: Draft[];
  /** Whether one is still on its way. */
  busy: boolean;
  add: (files: Iterable<File>) => void;
  remove: (key: string) => void;
  /** Returns the files that the server has, and forgets all. */
  take: () => Attached[];
  clear: () => void;
}

/**
 * The files of a question that is not asked yet: uploaded at once, and erased again when they are removed. Not
 * every runnable takes any.
 */
export function useAttachments(runnable: Pick<Runnable, "takes_files"> | undefined): Attachments {
  const { me } = useSession();
  const [drafts, setDrafts] = useState<Draft[]>([]);
  const uploads = useRef(new Map<string, AbortController>());

  const change = useCallback((key: string, known: Partial<Draft>) => {
    setDrafts((items) => items.map((item) => (item.key === key ? { ...item, ...known } : item)));
  }, []);

  const begin = useCallback(
    async (key: string, file: File) => {
      const controller = new AbortController();
      uploads.current.set(key, controller);
      try {
        const sent = await upload(file, controller.signal);
        if (controller.signal.aborted) void discard(sent.id).catch(() => undefined);
        else change(key, { sent });
      } catch (error) {
        if (!controller.signal.aborted) change(key, { trouble: sentenceOf(error) });
      } finally {
        uploads.current.delete(key);
      }
    },
    [change],
  );

  const add = useCallback(
    (files: Iterable<File>) => {
      const room = MOST_FILES - drafts.length;
      const added = [...files].slice(0, Math.max(0, room)).map((file) => ({ key: identifier(), file }));
      setDrafts((items) => [...items, ...added.map(({ key, file }) => ({ key, name: file.name, size: file.size }))]);
      for (const { key, file } of added) void begin(key, file);
    },
    [drafts.length, begin],
  );

  const remove = useCallback(
    (key: string) => {
      uploads.current.get(key)?.abort();
      const sent = drafts.find((draft) => draft.key === key)?.sent;
      if (sent) void discard(sent.id).catch(() => undefined); // it expires by itself
      setDrafts((items) => items.filter((item) => item.key !== key));
    },
    [drafts],
  );

  const clear = useCallback(() => setDrafts([]), []);
  const take = useCallback(() => {
    const files = drafts.flatMap(({ sent }) => sent ?? []);
    setDrafts([]);
    return files;
  }, [drafts]);

  const scopes = me?.scopes ?? [];
  const allowed = !!runnable?.takes_files && (scopes.includes("*") || scopes.includes(UPLOAD_SCOPE));
  const busy = drafts.some(({ sent, trouble }) => !sent && !trouble);
  return useMemo(
    () => ({ allowed, drafts, busy, add, remove, take, clear }),
    [allowed, drafts, busy, add, remove, take, clear],
  );
}

const sentenceOf = (error: unknown) => (error instanceof Problem ? error.message : "The server could not be reached.");
