import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import type { Runnable } from "@/api/events";
import { listRunnables } from "@/api/runnables";
import type { JsonSchema } from "@/chat/field";

const CHOICE = "runnable";

/** What the caller may use. */
export function useRunnables() {
  return useQuery({
    queryKey: ["runnables"],
    queryFn: ({ signal }) => listRunnables(signal),
    staleTime: Infinity,
  });
}

/** Whether a person can ask it something, by a text or a form. */
export const isAskable = ({ input_field, form }: Runnable) => input_field !== null || form !== null;

/** Whether a text is all that it takes to ask it something. */
export const isAskedByText = ({ input_field, form_first }: Runnable) => input_field !== null && !form_first;

/** The runnable that answers, and how to choose another: `preferred` is taken before the last choice. */
export function useRunnableChoice(preferred: string | undefined, usable = isAskable) {
  const { data } = useRunnables();
  const [chosen, setChosen] = useState<string>();
  const items = useMemo(() => (data?.items ?? []).filter(usable), [data, usable]);
  const wanted = chosen ?? preferred ?? localStorage.getItem(CHOICE);
  const runnable: Runnable | undefined =
    items.find(({ name }) => name === wanted) ?? items.find((item) => item.default) ?? items[0];
  const choose = useCallback((name: string) => {
    localStorage.setItem(CHOICE, name);
    setChosen(name);
  }, []);
  const form = (runnable?.form ?? null) as JsonSchema | null;
  return { runnable, form, items, choose, model: data?.model };
}
