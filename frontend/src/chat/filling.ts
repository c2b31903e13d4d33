import type { Bounds, Field, NamedField } from "@/chat/field";
import { isRecord, parsed } from "@/chat/series";

/** What stands in a form: texts as they are typed, the place of what is chosen, and the same of parts. */
export type Filling = string | boolean | Filling[] | { [name: string]: Filling };

/** What is wrong with a filling, a sentence each, by where: "buyer.name", "tags.0". */
export type Faults = ReadonlyMap<string, string>;

/** Returns the filling that stands for a value; without one, that of a form nobody has touched. */
export function filled(field: Field, value: unknown = field.initial): Filling {
  const given = value ?? field.initial;
  switch (field.kind) {
    case "choice":
      return chosen(field.options, given);
    case "switch":
      return given === true;
    case "json":
      return given === undefined ? "" : JSON.stringify(given, null, 2);
    case "list":
      return Array.isArray(given) ? given.map((item) => filled(field.item, item)) : [];
    case "object":
      return filledParts(field.fields, isRecord(given) ? given : {});
    default:
      return typeof given === "string" || typeof given === "number" ? String(given) : "";
  }
}

const filledParts = (fields: NamedField[], given: Record<string, unknown>): Filling =>
  Object.fromEntries(fields.map(({ name, field }) => [name, filled(field, given[name])]));

function chosen(options: unknown[], given: unknown): string {
  const place = options.length === 1 ? 0 : options.indexOf(given);
  return place < 0 ? "" : String(place);
}

/** Returns the value of a filling, or what is wrong with it. */
export function read(field: Field, filling: Filling): { value: unknown; faults: Faults } {
  const faults = new Map<string, string>();
  const value = valueOf(field, filling, { required: true, path: "", faults });
  return { value, faults };
}

interface Place {
  required: boolean;
  path: string;
  faults: Map<string, string>;
}

const inside = (place: Place, step: string | number, required: boolean): Place => ({
  ...place,
  required,
  path: place.path ? `${place.path}.${step}` : String(step),
});

/** Returns undefined for what is left out. */
function valueOf(field: Field, filling: Filling, place: Place): unknown {
  if (!place.required && untouched(field, filling)) return field.initial;
  const wrong = (sentence: string) => void place.faults.set(place.path, sentence);
  switch (field.kind) {
    case "switch":
      return filling === true;
    case "list":
      return itemsOf(field, filling, place, wrong);
    case "object":
      return fieldsOf(field, filling, place);
    default:
      if (filling === "") return place.required ? wrong("This is needed.") : blank(field);
      return written(field, String(filling), wrong);
  }
}

/** A text that has a default is emptied on purpose. */
const blank = ({ kind, initial }: Field) => (kind === "text" && initial !== undefined ? "" : undefined);

const untouched = (field: Field, filling: Filling): boolean =>
  JSON.stringify(filling) === JSON.stringify(filled(field));

function written(field: Field, text: string, wrong: (sentence: string) => void): unknown {
  switch (field.kind) {
    case "text":
      return faulty(lengthFault(text.length, field.lengths, "characters") ?? patternFault(text, field.pattern), wrong)
        ? undefined
        : text;
    case "number":
      return faulty(numberFault(text, field), wrong) ? undefined : Number(text);
    case "choice":
      return field.options[Number(text)];
    default: {
      const value = parsed(text);
      return faulty(value === undefined ? "This is no JSON." : undefined, wrong) ? undefined : value;
    }
  }
}

function faulty(sentence: string | undefined, wrong: (sentence: string) => void): boolean {
  if (sentence !== undefined) wrong(sentence);
  return sentence !== undefined;
}

function numberFault(text: string, field: Extract<Field, { kind: "number" }>): string | undefined {
  const value = text.trim() === "" ? NaN : Number(text);
  const { least, most } = field.bounds;
  if (!Number.isFinite(value)) return "This is no number.";
  if (field.whole && !Number.isInteger(value)) return "A whole number is needed.";
  if (least !== undefined && value < least) return `At least ${least.toLocaleString()}.`;
  if (most !== undefined && value > most) return `At most ${most.toLocaleString()}.`;
  if (field.above !== undefined && value <= field.above) return `More than ${field.above.toLocaleString()}.`;
  if (field.below !== undefined && value >= field.below) return `Less than ${field.below.toLocaleString()}.`;
  return undefined;
}

function lengthFault(length: number, { least, most }: Bounds, of: string): string | undefined {
  if (least !== undefined && length < least) return `At least ${least.toLocaleString()} ${of}.`;
  if (most !== undefined && length > most) return `At most ${most.toLocaleString()} ${of}.`;
  return undefined;
}

function patternFault(text: string, pattern: string | undefined): string | undefined {
  if (pattern === undefined) return undefined;
  try {
    return new RegExp(pattern, "u").test(text) ? undefined : `This is not of the expected form, ${pattern}`;
  } catch {
    return undefined; // another dialect's: the server will tell
  }
}

function itemsOf(
  field: Extract<Field, { kind: "list" }>,
  filling: Filling,
  place: Place,
  wrong: (sentence: string) => void,
): unknown[] {
  const items = Array.isArray(filling) ? filling : [];
  faulty(lengthFault(items.length, field.lengths, "entries"), wrong);
  return items.map((item, step) => valueOf(field.item, item, inside(place, step, true)));
}

function fieldsOf(field: Extract<Field, { kind: "object" }>, filling: Filling, place: Place): unknown {
  const of = isRecord(filling) ? (filling as Record<string, Filling>) : {};
  const values = field.fields.map((inner) => {
    const part = of[inner.name] ?? filled(inner.field);
    return [inner.name, valueOf(inner.field, part, inside(place, inner.name, inner.required))] as const;
  });
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}
