import { lazy, Suspense } from "react";
import { Fallback } from "@/components/Fallback";
import type { SchemaFormProps } from "@/components/SchemaForm";

const SchemaForm = lazy(() => import("@/components/SchemaForm"));

/** A form for a JSON Schema, whose script comes with the first one that is shown. */
export function LoadedForm(props: SchemaFormProps) {
  return (
    <Fallback instead={<p className="notice trouble">The form could not be loaded. Reload the page.</p>}>
      <Suspense fallback={<p className="hint">Loading the form…</p>}>
        <SchemaForm {...props} />
      </Suspense>
    </Fallback>
  );
}
