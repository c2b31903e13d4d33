import { useCallback, useState } from "react";
import type { Field, JsonSchema } from "@/chat/field";
import { filled, type Filling } from "@/chat/filling";
import { formAt, keptDraft, keepDraft } from "@/hooks/useDraft";

/**
 * What stands in a form, how to change it, and how to forget it. At a `place` it outlives a reload, as long as
 * the form is the same.
 */
export function useFilling(
  schema: JsonSchema,
  field: Field,
  value: unknown,
  place?: string,
): [Filling, (filling: Filling) => void, () => void] {
  const [filling, setFilling] = useState(() => (place && kept(place, schema)) ?? filled(field, value));
  const change = useCallback(
    (changed: Filling) => {
      setFilling(changed);
      if (place) keepDraft(formAt(place), JSON.stringify({ form: JSON.stringify(schema), filling: changed }));
    },
    [place, schema],
  );
  const forget = useCallback(() => {
    if (place) keepDraft(formAt(place), "");
  }, [place]);
  return [filling, change, forget];
}

function kept(place: string, schema: JsonSchema): Filling | undefined {
  const text = keptDraft(formAt(place));
  if (!text) return undefined;
  const { form, filling } = JSON.parse(text) as { form: string; filling: Filling };
  return form === JSON.stringify(schema) ? filling : undefined;
}
