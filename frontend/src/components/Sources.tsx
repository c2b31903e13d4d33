import { isRecord } from "@/chat/series";

export interface SourceDocument {
  title: string;
  address: string | undefined;
  place: string;
  snippet: string;
}

const SNIPPET = 240; // characters

/** The documents that an answer rests on: where they are from, and how they begin. */
export function Sources({ documents }: { documents: SourceDocument[] }) {
  if (documents.length === 0) return null;
  return (
    <section className="sources" aria-label="Sources">
      <h4>Sources</h4>
      <ol>
        {documents.map(({ title, address, place, snippet }, number) => (
          <li key={number}>
            {address ? (
              <a href={address} target="_blank" rel="noreferrer nofollow">
                {title}
              </a>
            ) : (
              <strong>{title}</strong>
            )}
            {place && <span className="source-place"> {place}</span>}
            <p>{snippet}</p>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Returns the documents of a value: those of LangChain's form in it, or in one of its fields. */
export function documentsIn(value: unknown): SourceDocument[] {
  const lists = Array.isArray(value) ? [value] : isRecord(value) ? Object.values(value).filter(Array.isArray) : [];
  return lists.flat().filter(isDocument).map(shown);
}

interface Document {
  page_content: string;
  metadata?: Record<string, unknown> | null;
}

const isDocument = (item: unknown): item is Document => isRecord(item) && typeof item.page_content === "string";

function shown({ page_content, metadata }: Document, number: number): SourceDocument {
  const about = metadata ?? {};
  const from = [about.title, about.source, about.url, about.file_path].find((name) => typeof name === "string");
  const address = [about.url, about.source].find((name) => typeof name === "string" && /^https?:\/\//.test(name));
  const page = about.page ?? about.page_number;
  const text = page_content.trim().replaceAll(/\s+/g, " ");
  return {
    title: String(from ?? `Document ${number + 1}`),
    address: address === undefined ? undefined : String(address),
    place: typeof page === "number" || typeof page === "string" ? `page ${page}` : "",
    snippet: text.length > SNIPPET ? `${text.slice(0, SNIPPET)}…` : text,
  };
}
