import type { Field } from "@/chat/field";
import { filled, type Faults, type Filling } from "@/chat/filling";
import { isRecord } from "@/chat/series";
import { FieldInput } from "@/components/FieldInput";
import { Icon } from "@/components/Icon";

export interface FieldProps {
  field: Field;
  filling: Filling;
  change: (filling: Filling) => void;
  /** What the ids of the form's elements begin with. */
  id: string;
  path: string;
  faults: Faults;
  required: boolean;
  /** Whether it is all of the form, which then needs no frame around it. */
  whole?: boolean;
}

/** A field with its label, what it is for and what is wrong with it. */
export function FieldView(props: FieldProps) {
  const { field, path, faults, whole } = props;
  if (field.kind !== "object" && field.kind !== "list") return <Simple {...props} />;
  const parts = field.kind === "object" ? <Parts {...props} /> : <Items {...props} />;
  const fault = faults.get(path);
  return (
    <fieldset className={whole ? "whole" : undefined}>
      {(!whole || field.kind === "list") && <legend>{field.label || "Entries"}</legend>}
      {!whole && field.description && <p className="field-about">{field.description}</p>}
      {parts}
      {fault && <p className="field-fault">{fault}</p>}
    </fieldset>
  );
}

function Simple(props: FieldProps) {
  const { field, id, path, faults, required, whole } = props;
  const name = `${id}${path}`;
  const fault = faults.get(path);
  const about = field.description && !whole ? field.description : undefined;
  return (
    <div className={`field field-${field.kind}`}>
      <label htmlFor={name}>
        {field.label || "Value"} {!required && field.initial === undefined && <small>optional</small>}
      </label>
      {about && (
        <p className="field-about" id={`${name}-about`}>
          {about}
        </p>
      )}
      <FieldInput
        {...props}
        name={name}
        about={[about && `${name}-about`, fault && `${name}-fault`].filter(Boolean).join(" ")}
      />
      {fault && (
        <p className="field-fault" id={`${name}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}

function Parts({ field, filling, change, path, ...rest }: FieldProps) {
  if (field.kind !== "object") return null;
  const of = isRecord(filling) ? (filling as Record<string, Filling>) : {};
  return field.fields.map(({ name, required, field: inner }) => (
    <FieldView
      {...rest}
      key={name}
      field={inner}
      required={required}
      whole={false}
      path={path ? `${path}.${name}` : name}
      filling={of[name] ?? filled(inner)}
      change={(part) => change({ ...of, [name]: part })}
    />
  ));
}

function Items({ field, filling, change, path, ...rest }: FieldProps) {
  if (field.kind !== "list") return null;
  const items = Array.isArray(filling) ? filling : [];
  const label = field.item.label || "Entry";
  return (
    <>
      {items.map((item, place) => (
        <div className="field-item" key={place}>
          <FieldView
            {...rest}
            field={{ ...field.item, label: `${label} ${place + 1}` }}
            required
            whole={false}
            path={path ? `${path}.${place}` : String(place)}
            filling={item}
            change={(part) => change(items.map((other, at) => (at === place ? part : other)))}
          />
          <button
            type="button"
            className="icon-button"
            aria-label={`Remove ${label.toLowerCase()} ${place + 1}`}
            onClick={() => change(items.filter((_, at) => at !== place))}
          >
            <Icon name="close" size={15} />
          </button>
        </div>
      ))}
      <button type="button" className="small" onClick={() => change([...items, filled(field.item)])}>
        Add {label.toLowerCase()}
      </button>
    </>
  );
}
