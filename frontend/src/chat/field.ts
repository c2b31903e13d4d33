import { isRecord } from "@/chat/series";
import { words } from "@/chat/words";

export type JsonSchema = Record<string, unknown>;

/** What every field has: what it is called, what it is for, what it is without a person's doing. */
interface About {
  label: string;
  description: string;
  /** Undefined where the schema names none. */
  initial: unknown;
}

export type Kind =
  | { kind: "text"; lengths: Bounds; pattern: string | undefined; long: boolean; type: string }
  | { kind: "number"; whole: boolean; bounds: Bounds; above: number | undefined; below: number | undefined }
  | { kind: "choice"; options: unknown[] }
  | { kind: "switch" }
  | { kind: "object"; fields: NamedField[] }
  | { kind: "list"; item: Field; lengths: Bounds }
  | { kind: "json" };

export interface Bounds {
  least: number | undefined;
  most: number | undefined;
}

export type Field = About & Kind;

export interface NamedField {
  name: string;
  required: boolean;
  field: Field;
}

const DEEPEST = 5; // objects in objects: a person is not asked for more, and a schema may refer to itself
const MOST_HOPS = 20; // from one reference to the next
const LONG = 200; // characters: a text that may be longer gets a box
const INPUT_TYPES: Record<string, string> = { date: "date", time: "time", email: "email", uri: "url" };

/** Returns what a person fills in for a JSON Schema. What has no form of its own is asked for as JSON. */
export function fieldOf(schema: JsonSchema, name = "", root = schema, depth = 0): Field {
  const of = plain(schema, root);
  const about = {
    label: typeof of.title === "string" && of.title ? of.title : words(name),
    description: typeof of.description === "string" ? of.description : "",
    initial: of.default === null ? undefined : of.default,
  };
  return { ...about, ...kindOf(of, root, depth) };
}

function kindOf(of: JsonSchema, root: JsonSchema, depth: number): Kind {
  const options = optionsOf(of, root);
  if (options) return { kind: "choice", options };
  switch (of.type) {
    case "string":
      return textOf(of);
    case "integer":
    case "number":
      return numberOf(of, of.type === "integer");
    case "boolean":
      return { kind: "switch" };
    case "array":
      return depth < DEEPEST && isRecord(of.items) && !of.prefixItems
        ? {
            kind: "list",
            item: fieldOf(of.items, "", root, depth + 1),
            lengths: bounds(of.minItems, of.maxItems),
          }
        : { kind: "json" };
    case "object":
      return isRecord(of.properties) && depth < DEEPEST
        ? { kind: "object", fields: fieldsOf(of, of.properties, root, depth + 1) }
        : { kind: "json" };
    default:
      return { kind: "json" };
  }
}

function fieldsOf(of: JsonSchema, properties: JsonSchema, root: JsonSchema, depth: number): NamedField[] {
  const required = Array.isArray(of.required) ? of.required : [];
  return Object.entries(properties).map(([name, property]) => {
    const field = fieldOf(isRecord(property) ? property : {}, name, root, depth);
    const needed = required.includes(name);
    return { name, required: needed, field: needed ? field : openable(field) };
  });
}

/** Returns a switch that may be left open, since it is neither required nor has a default, as a choice. */
const openable = (field: Field): Field =>
  field.kind === "switch" && field.initial === undefined ? { ...field, kind: "choice", options: [true, false] } : field;

function textOf(of: JsonSchema): Kind {
  const lengths = bounds(of.minLength, of.maxLength);
  const type = INPUT_TYPES[String(of.format)] ?? "text";
  const long = type === "text" && lengths.most !== undefined && lengths.most > LONG;
  return { kind: "text", lengths, pattern: typeof of.pattern === "string" ? of.pattern : undefined, long, type };
}

const numberOf = (of: JsonSchema, whole: boolean): Kind => ({
  kind: "number",
  whole,
  bounds: bounds(of.minimum, of.maximum),
  above: numeric(of.exclusiveMinimum),
  below: numeric(of.exclusiveMaximum),
});

/** Returns the values of which one is chosen; undefined where they are not counted. */
function optionsOf(of: JsonSchema, root: JsonSchema): unknown[] | undefined {
  if (Array.isArray(of.enum)) return of.enum;
  if ("const" in of) return [of.const];
  const parts = alternatives(of).map((part) => optionsOf(plain(part, root), root));
  return parts.length && parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

const alternatives = (of: JsonSchema): JsonSchema[] =>
  [of.anyOf, of.oneOf].flatMap((parts) => (Array.isArray(parts) ? parts.filter(isRecord) : []));

/** Returns a schema with what it refers to in place; of one value or null, that of the value. */
function plain(schema: JsonSchema, root: JsonSchema): JsonSchema {
  let of = schema;
  for (let hops = 0; hops < MOST_HOPS; hops++) {
    const { $ref, allOf, ...rest } = of;
    const parts = alternatives(rest).filter((part) => part.type !== "null" && !isNumberAsText(part, rest));
    if (typeof $ref === "string") of = { ...definition($ref, root), ...rest };
    else if (Array.isArray(allOf) && allOf.length === 1 && isRecord(allOf[0])) of = { ...allOf[0], ...rest };
    else if (parts.length === 1) of = { ...parts[0], ...without(rest, ["anyOf", "oneOf"]) };
    else if (Array.isArray(rest.type)) of = { ...rest, type: rest.type.filter((type) => type !== "null")[0] };
    else return of;
  }
  return {};
}

/** Tells whether an alternative is the text that a number, such as Python's Decimal, may be written as too. */
const isNumberAsText = ({ type, pattern }: JsonSchema, of: JsonSchema): boolean =>
  type === "string" && pattern !== undefined && alternatives(of).some((other) => other.type === "number");

function definition(reference: string, root: JsonSchema): JsonSchema {
  const found = reference
    .replace(/^#\/?/, "")
    .split("/")
    .reduce<unknown>((at, step) => (isRecord(at) ? at[step] : undefined), root);
  return isRecord(found) ? found : {};
}

const without = (of: JsonSchema, names: string[]): JsonSchema =>
  Object.fromEntries(Object.entries(of).filter(([name]) => !names.includes(name)));

const numeric = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
const bounds = (least: unknown, most: unknown): Bounds => ({ least: numeric(least), most: numeric(most) });
