import type { ChangeEvent } from "react";
import type { FieldProps } from "@/components/FieldView";

type Props = FieldProps & { name: string; about: string };

/** What a person types into, or chooses from. */
export function FieldInput({ field, filling, change, name, about, faults, path, required }: Props) {
  const shared = {
    id: name,
    "aria-invalid": faults.has(path),
    "aria-required": required,
    ...(about && { "aria-describedby": about }),
  };
  const text = typeof filling === "string" ? filling : "";
  const onChange = (event: ChangeEvent<HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement>) =>
    change(event.target.value);

  switch (field.kind) {
    case "switch":
      return (
        <input
          {...shared}
          type="checkbox"
          checked={filling === true}
          onChange={(event) => change(event.target.checked)}
        />
      );
    case "choice":
      return (
        <select {...shared} value={text} onChange={onChange}>
          {(!required || text === "") && <option value="">{required ? "Choose one" : "–"}</option>}
          {field.options.map((option, place) => (
            <option key={place} value={place}>
              {shown(option)}
            </option>
          ))}
        </select>
      );
    case "json":
      return <textarea {...shared} rows={4} className="json" spellCheck={false} value={text} onChange={onChange} />;
    case "number":
      return (
        <input
          {...shared}
          inputMode={field.whole ? "numeric" : "decimal"}
          autoComplete="off"
          value={text}
          onChange={onChange}
        />
      );
    default:
      return field.kind === "text" && field.long ? (
        <textarea {...shared} rows={3} value={text} onChange={onChange} />
      ) : (
        <input {...shared} type={field.kind === "text" ? field.type : "text"} value={text} onChange={onChange} />
      );
  }
}

const shown = (option: unknown): string =>
  typeof option === "boolean" ? (option ? "Yes" : "No") : option === null ? "None" : String(option);
