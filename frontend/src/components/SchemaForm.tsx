import { useEffect, useId, useMemo, useRef, useState, type FormEvent, type ReactNode } from "react";
import { fieldOf, type JsonSchema } from "@/chat/field";
import { read, type Faults, type Filling } from "@/chat/filling";
import { FieldView } from "@/components/FieldView";
import { useFilling } from "@/hooks/useFilling";

export interface SchemaFormProps {
  schema: JsonSchema;
  /** What the form begins with, in place of the schema's defaults. */
  value?: unknown;
  /** Where it stands, if what is filled in is to outlive a reload. */
  place?: string;
  label: string;
  ready: boolean;
  /** Called with what was filled in, once nothing is wrong with it. */
  send: (value: unknown) => void;
  /** Other buttons, before the one that sends. */
  children?: ReactNode;
}

const NONE: Faults = new Map();

/** A form for a JSON Schema. What is wrong is said at its field, and the first such field gets the focus. */
export default function SchemaForm({ schema, value, place, label, ready, send, children }: SchemaFormProps) {
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const field = useMemo(() => fieldOf(schema), [schema]);
  const [filling, setFilling, forget] = useFilling(schema, field, value, place);
  const [faults, setFaults] = useState(NONE);
  const [tries, setTries] = useState(0);

  useEffect(() => {
    if (tries) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [tries]);

  const change = (changed: Filling) => {
    setFilling(changed);
    if (faults.size) setFaults(read(field, changed).faults); // what was mended is not said to be wrong any more
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = read(field, filling);
    setFaults(found.faults);
    setTries(tries + 1);
    if (found.faults.size || !ready) return;
    forget();
    send(found.value);
  };

  return (
    <form className="schema-form" noValidate aria-label={label} ref={form} onSubmit={submit}>
      <div className="schema-fields">
        <FieldView field={field} filling={filling} change={change} id={id} path="" faults={faults} required whole />
      </div>
      <div className="schema-buttons">
        {children}
        <button type="submit" className="primary" disabled={!ready}>
          {label}
        </button>
      </div>
    </form>
  );
}
